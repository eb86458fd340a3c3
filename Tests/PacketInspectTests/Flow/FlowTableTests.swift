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
        } else {
          table.touch(index, at: now)
        }
      } else {
        let made = table.insert(key, clientIsFirst: true, session: Int32(step % 7), at: now)
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

  @Test("keeps the order of use, and reuses the places of forgotten flows")
  func order() {
    var table = FlowTable(capacity: 4, seed: 0)
    let now = Timestamp(seconds: 100)
    let indices = (0..<4).map { table.insert(key($0), clientIsFirst: true, session: 0, at: now) }
    #expect(table.insert(key(9), clientIsFirst: true, session: 0, at: now) == -1)
    #expect(table.anyOldest == indices[0])
    table.touch(indices[0], at: now)
    table.touch(indices[2], at: now)
    var drained: [Int32] = []
    while table.anyOldest >= 0 {
      drained.append(table.anyOldest)
      table.remove(table.anyOldest)
    }
    #expect(drained == [indices[1], indices[3], indices[0], indices[2]])
    #expect(table.count == 0)
    let again = (0..<4).map { table.insert(key(10 + $0), clientIsFirst: true, session: 0, at: now) }
    #expect(Set(again) == Set(indices))
    #expect(table.find(key(0)) == -1)
  }

  @Test("forgets closed TCP after 10 s, datagrams after 120 s and open TCP after an hour, not sooner")
  func expiry() {
    var table = FlowTable(capacity: 10, seed: 0)
    let start = Timestamp(seconds: 0)
    let open = table.insert(key(1), clientIsFirst: true, session: 0, at: start)
    let closed = table.insert(key(2), clientIsFirst: true, session: 0, at: start)
    let datagram = table.insert(key(3, proto: 17), clientIsFirst: true, session: 0, at: start)
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
    #expect(due(120) == [closed])
    #expect(due(121) == [closed, datagram])
    #expect(due(3_601) == [closed, datagram, open])
    // The oldest is open: it must not hide the shorter times behind it, nor be forgotten with them.
    #expect(table.expired(at: Timestamp(seconds: 200)) == -1)
    #expect(table.expired(at: Timestamp(seconds: 3_601)) == open)
  }

  @Test("is not moved by a clock that steps back")
  func clockStepsBack() {
    var table = FlowTable(capacity: 10, seed: 0)
    let index = table.insert(key(1), clientIsFirst: true, session: 0, at: Timestamp(seconds: 500))
    table.touch(index, at: Timestamp(seconds: 100))
    #expect(table[index].lastSeen == Timestamp(seconds: 500))
    #expect(table.expired(at: Timestamp(seconds: 100)) == -1)
  }
}
