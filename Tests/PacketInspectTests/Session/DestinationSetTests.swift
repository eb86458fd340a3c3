import Testing

@testable import PacketInspect

@Suite("A session's destinations, packed")
struct DestinationSetTests {
  private func record(_ number: Int) -> DestinationRecord {
    var record = DestinationRecord(
      firstSeen: Timestamp(seconds: Int64(number)), lastSeen: Timestamp(seconds: Int64(number + 1)),
      contacts: UInt32(number), evidence: .sni)
    record.category = Category(rawValue: UInt8(number % 60))
    record.categories = CategorySet(record.category)
    return record
  }

  private func key(_ number: Int) -> DestinationKey {
    switch number % 3 {
    case 0: .domain("a-domain-of-some-length-\(number).example")
    case 1: .v4(UInt32(number))
    default: .v6(UInt64(number) << 40)
    }
  }

  @Test(
    "what was put in is found again with all that is known of it, and nothing else is", arguments: [7, 200, 40_000])
  func finds(count: Int) throws {
    var set = DestinationSet()
    for number in 0..<count { set.insert(key(number), record(number), isUnsaved: number % 2 == 0) }
    #expect(set.count == count)
    for number in 0..<count {
      let place = try #require(set.place(of: key(number)))
      #expect(set.key(at: place) == key(number))
      #expect(set[place].record == record(number))
      #expect(set[place].isUnsaved == (number % 2 == 0))
    }
    for number in count..<count + 100 { #expect(set.place(of: key(number)) == nil) }
  }

  @Test("an address and a name of the same number, and names of the same length, are told apart")
  func kinds() {
    var set = DestinationSet()
    set.insert(.v4(5), record(1), isUnsaved: false)
    set.insert(.domain("ab.example"), record(2), isUnsaved: false)
    set.insert(.domain(""), record(3), isUnsaved: false)
    #expect(set.place(of: .v4(5)) == 0)
    #expect(set.place(of: .v6(5)) == nil)
    #expect(set.place(of: .domain("ac.example")) == nil)
    #expect(set.place(of: .domain("ab.exampl")) == nil)
    #expect(set.place(of: .domain("")) == 2)
  }

  @Test("what stays after others were removed keeps its name and its record")
  func removal() throws {
    var set = DestinationSet()
    for number in 0..<300 { set.insert(key(number), record(number), isUnsaved: false) }
    set.removeAll { $0 % 4 != 0 }
    #expect(set.count == 75)
    for number in 0..<300 {
      let place = set.place(of: key(number))
      #expect((place != nil) == (number % 4 == 0))
      if let place { #expect(set[place].record == record(number)) }
    }
    set.insert(key(1), record(1), isUnsaved: true)
    #expect(set.place(of: key(1)) == 75)
  }

  @Test("an entry takes forty bytes beside its name")
  func size() {
    #expect(MemoryLayout<DestinationSet.Entry>.stride == 40)
  }
}
