import TestSupport
import Testing

@testable import PacketInspect

@Suite("Removal from the table of networks")
struct NetworkRemovalTests {
  @Test("answers after any number of insertions and removals as a table made anew would")
  func removal() {
    var random = SplitMix64(seed: 7)
    var table = NetworkTable<Int>()
    var present: [IPNetwork: Int] = [:]
    for round in 0..<5_000 {
      let isFour = random.next() % 2 == 0
      let base = isFour ? address("10.\(random.next() % 4).0.0") : address("fd00:\(random.next() % 4)::")
      let length = isFour ? Int(random.next() % 33) : Int(random.next() % 129)
      guard let network = IPNetwork(base, prefixLength: length) else { continue }
      if random.next() % 2 == 0 {
        table.remove(network)
        present[network] = nil
      } else {
        table.insert(network, round)
        if present[network] == nil { present[network] = round }
      }
      let probe = isFour ? address("10.\(random.next() % 4).0.0") : address("fd00:\(random.next() % 4)::")
      let expected = present.filter { $0.key.contains(probe) }.max { $0.key.prefixLength < $1.key.prefixLength }
      #expect(table.match(probe)?.value == expected?.value)
      #expect(table.count == present.count)
    }
  }
}
