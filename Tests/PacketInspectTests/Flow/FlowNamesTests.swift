import TestSupport
import Testing

@testable import PacketInspect

@Suite("Names of flows")
struct FlowNamesTests {
  @Test("are kept once for all flows that claim them alike, and as long as one of them lives")
  func shared() {
    var names = FlowNames(seed: 1)
    let first = names.take(host("a.example"), .sni)
    #expect(names.take(host("a.example"), .sni) == first)
    let other = names.take(host("a.example"), .host)
    #expect(other != first && names.count == 2)
    names.release(first)
    #expect(names[first].bytes == host("a.example").bytes && names[first].claim == .sni)
    names.release(first)
    #expect(names.count == 1)
    #expect(names[other].claim == .host)
    #expect(names.take(host("b.example"), .sni) == first)
  }

  @Test("are never lost or confused, compared with a dictionary over 100,000 random steps")
  func model() {
    var random = SplitMix64(seed: 7)
    var names = FlowNames(seed: 2)
    var held: [(index: Int32, number: Int)] = []
    for _ in 0..<100_000 {
      if held.isEmpty || Int.random(in: 0..<5, using: &random) < 3 {
        let number = Int.random(in: 0..<5_000, using: &random)
        held.append((names.take(host("name\(number).example"), .sni), number))
      } else {
        held.swapAt(Int.random(in: 0..<held.count, using: &random), held.count - 1)
        let (index, number) = held.removeLast()
        #expect(names[index].bytes == host("name\(number).example").bytes)
        names.release(index)
      }
    }
    #expect(names.count == Set(held.map(\.number)).count)
    #expect(names.count > 2_048)
    #expect(Set(held.map(\.index)).count == names.count)
    for (index, number) in held { #expect(names[index].bytes == host("name\(number).example").bytes) }
  }
}
