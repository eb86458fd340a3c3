import TestSupport
import Testing

@testable import PacketInspect

@Suite("Flow table")
struct FlowTableTests {
  private func key(_ number: Int, proto: UInt8 = 6) -> FlowKey {
    FlowKey.make(
      source: IPAddress(v4: UInt32(number)), sourcePort: 1, destination: address("93.184.216.10"), destinationPort: 2,
      proto: proto
    ).key
  }

  /// One of a few sessions and sources.
  private static func owner(_ number: Int) -> FlowOwner {
    number % 7 < 4 ? .session(Int32(number % 7)) : .source(UInt64(number % 7))
  }

  @Test("has one key for both directions, and another for anything else that differs")
  func direction() {
    var random = SplitMix64(seed: 3)
    for _ in 0..<2_000 {
      // Few values, so that equal addresses and ports occur.
      let one = address("10.0.0.\(Int.random(in: 0...3, using: &random))")
      let two = address("10.0.0.\(Int.random(in: 0...3, using: &random))")
      let (a, b) = (UInt16.random(in: 0...3, using: &random), UInt16.random(in: 0...3, using: &random))
      let there = FlowKey.make(source: one, sourcePort: a, destination: two, destinationPort: b, proto: 6)
      let back = FlowKey.make(source: two, sourcePort: b, destination: one, destinationPort: a, proto: 6)
      #expect(there.key == back.key)
      #expect(there.key.hash(seed: 9) == back.key.hash(seed: 9))
      if one != two || a != b { #expect(there.sourceIsFirst != back.sourceIsFirst) }
      let crossed = FlowKey.make(source: one, sourcePort: b, destination: two, destinationPort: a, proto: 6)
      if a != b, one != two { #expect(there.key != crossed.key) }
      #expect(
        there.key != FlowKey.make(source: one, sourcePort: a, destination: two, destinationPort: b, proto: 17).key)
    }
  }

  @Test("does not take an IPv4 address for the IPv6 address of equal value")
  func families() {
    let v4 = FlowKey.make(
      source: address("0.0.0.1"), sourcePort: 1, destination: address("0.0.0.2"), destinationPort: 2, proto: 6)
    let v6 = FlowKey.make(
      source: address("::1"), sourcePort: 1, destination: address("::2"), destinationPort: 2, proto: 6)
    #expect(v4.key != v6.key)
    #expect(v4.key.first == address("0.0.0.1"))
    #expect(v6.key.second == address("::2"))
  }

  @Test("never loses or confuses a flow, compared with a dictionary over 200,000 random steps")
  func model() throws {
    var random = SplitMix64(seed: 1)
    var table = FlowTable(capacity: 3_000, seed: 42)
    var model: [FlowKey: (index: Int32, id: UInt64)] = [:]
    var ids: Set<UInt64> = []
    var now = Timestamp(seconds: 1)
    for step in 0..<200_000 {
      let key = key(Int.random(in: 0..<6_000, using: &random))
      now = now.advanced(byNanoseconds: 1_000)
      let index = table.find(key)
      #expect(index == model[key]?.index ?? -1)
      if index >= 0 {
        #expect(table[index].key == key && table[index].id == model[key]?.id)
        if Int.random(in: 0..<3, using: &random) == 0 {
          table.remove(index)
          model[key] = nil
          #expect(!table.isUsed(index))
        } else if step % 3 == 0 {
          table.touch(index, at: now)
        } else {
          table.noteAnswered(index, owner: Self.owner(step), isProof: step % 2 == 0)
        }
      } else {
        if table.isFull {
          let victim = table.victim(for: Self.owner(step)).flow
          #expect(table.isUsed(victim))
        }
        let made = table.insert(key, clientIsFirst: true, session: 0, owner: Self.owner(step), at: now)
        #expect((made < 0) == (model.count == 3_000))
        if made >= 0 {
          #expect(!model.values.contains { $0.index == made } || step % 64 != 0)
          #expect(ids.insert(table[made].id).inserted)
          #expect(table[made].stream == -1 && table[made].phase == .undecided)
          model[key] = (made, table[made].id)
        }
      }
      #expect(table.count == model.count)
    }
    for (key, entry) in model { #expect(table.find(key) == entry.index) }
  }

  @Test("keeps the order of use to about a second, and reuses the places of forgotten flows")
  func order() {
    var table = FlowTable(capacity: 4, seed: 0)
    var now = Timestamp(seconds: 100)
    func insert(_ numbers: [Int]) -> [Int32] {
      numbers.map { table.insert(key($0), clientIsFirst: true, session: 0, owner: .session(0), at: now) }
    }
    let indices = insert([0, 1, 2, 3])
    #expect(insert([9]) == [-1])
    for used in [0, 2] {
      now = now.advanced(byNanoseconds: 2_000_000_000)
      table.touch(indices[used], at: now)
    }
    #expect(table.indicesByUse() == [indices[1], indices[3], indices[0], indices[2]])
    var drained: [Int32] = []
    while table.count > 0 {
      drained.append(table.victim(for: .session(0)).flow)
      table.remove(drained[drained.count - 1])
    }
    #expect(drained == [indices[1], indices[3], indices[0], indices[2]])
    #expect(Set(insert([10, 11, 12, 13])) == Set(indices))
    #expect(table.find(key(0)) == -1)
  }

  @Test(
    "forgets closed TCP after 10 s, what nobody answered after 30 s and 60 s, datagrams after 120 s and open TCP after an hour, not sooner"
  )
  func expiry() {
    var table = FlowTable(capacity: 10, seed: 0)
    let start = Timestamp(seconds: 0)
    func insert(_ number: Int, proto: UInt8 = 6, isAnswered: Bool = true) -> Int32 {
      let index = table.insert(
        key(number, proto: proto), clientIsFirst: true, session: 0, owner: .session(0), at: start)
      if isAnswered { table.noteAnswered(index, owner: .session(0), isProof: true) }
      return index
    }
    let (open, closed, datagram) = (insert(1), insert(2), insert(3, proto: 17))
    let (attempt, single) = (insert(4, isAnswered: false), insert(5, proto: 17, isAnswered: false))
    table[closed].isClosing = true
    func due(_ seconds: Int64) -> Set<Int32> {
      var copy = table
      var found: Set<Int32> = []
      var slots = 64
      while case let index = copy.sweepExpired(slots: &slots, at: Timestamp(seconds: seconds)), index >= 0 {
        found.insert(index)
        copy.remove(index)
      }
      return found
    }
    #expect(due(10).isEmpty)
    #expect(due(11) == [closed])
    #expect(due(30) == [closed])
    #expect(due(31) == [closed, single])
    #expect(due(60) == [closed, single])
    #expect(due(61) == [closed, single, attempt])
    #expect(due(120) == [closed, single, attempt])
    #expect(due(121) == [closed, single, attempt, datagram])
    #expect(due(3_600) == [closed, single, attempt, datagram])
    #expect(due(3_601) == [closed, single, attempt, datagram, open])
  }

  @Test("is not moved by a clock that steps back")
  func clockStepsBack() {
    var table = FlowTable(capacity: 10, seed: 0)
    let index = table.insert(
      key(1), clientIsFirst: true, session: 0, owner: .session(0), at: Timestamp(seconds: 500))
    table.touch(index, at: Timestamp(seconds: 100))
    #expect(table[index].lastSeen == Timestamp(seconds: 500))
    var slots = 10
    #expect(table.sweepExpired(slots: &slots, at: Timestamp(seconds: 100)) == -1)
  }
}
