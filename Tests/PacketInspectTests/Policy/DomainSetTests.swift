import PacketInspect
import TestSupport
import Testing

@Suite("Domain set")
struct DomainSetTests {
  private func set(_ names: [String]) -> DomainSet {
    var set = DomainSet()
    for (index, name) in names.enumerated() { set.insert(host(name), at: ListPosition(list: 0, line: index + 1)) }
    return set
  }

  @Test("matches a name and all below it, on label boundaries alone, whatever the case")
  func suffixes() {
    let set = set(["evil.example", "Paste.Example", "x"])
    for name in ["evil.example", "a.evil.example", "A.B.EVIL.EXAMPLE", "evil.example.", "paste.example", "y.x"] {
      #expect(set.match(host(name)) != nil, "\(name)")
    }
    for name in ["notevil.example", "evil.example.com", "example", "evil-example", "vil.example", "xx", "x.y"] {
      #expect(set.match(host(name)) == nil, "\(name)")
    }
    #expect(set.match(HostName()) == nil)
    #expect(DomainSet().match(host("a.example")) == nil)
  }

  @Test("names the most specific entry, and the first of equal ones")
  func specific() {
    let set = set(["example", "b.example", "a.b.example", "b.example"])
    #expect(set.count == 3)
    #expect(set.match(host("x.a.b.example"))?.line == 3)
    #expect(set.match(host("c.b.example"))?.line == 2)
    #expect(set.match(host("c.example"))?.line == 1)
    #expect(set.entryText(matching: host("x.a.b.example")) == "a.b.example")
    #expect(set.entryText(matching: host("c.b.example")) == "b.example")
    #expect(set.entryText(matching: host("other")) == nil)
  }

  @Test("answers 50,000 random names as a plain set of suffixes does")
  func model() {
    var random = SplitMix64(seed: 8)
    let labels = ["a", "b", "c", "ab", "ba", "aa", "com", "net", "x-1", "long-label-of-some-kind"]
    func name() -> String {
      (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let label = labels.randomElement(using: &random) ?? "a"
        return Int.random(in: 0..<3, using: &random) == 0 ? "\(label)\(Int.random(in: 0..<40, using: &random))" : label
      }.joined(separator: ".")
    }
    var lines: [String: Int] = [:]
    var set = DomainSet(seed: 77)
    for line in 1...3_000 {
      let entry = name()
      set.insert(host(entry), at: ListPosition(list: 0, line: line))
      if lines[entry] == nil { lines[entry] = line }
    }
    #expect(set.count == lines.count)
    var hits = 0
    for _ in 0..<50_000 {
      let asked = name()
      var rest = asked[...]
      var expected = lines[asked]
      while expected == nil, let dot = rest.firstIndex(of: ".") {
        rest = rest[rest.index(after: dot)...]
        expected = lines[String(rest)]
      }
      #expect(set.match(host(asked))?.line == expected, "\(asked)")
      if expected != nil { hits += 1 }
    }
    #expect(hits > 5_000 && hits < 49_000)
  }
}

@Suite("Network table")
struct NetworkTableTests {
  @Test("answers with the longest prefix, as a walk over all ranges does")
  func model() {
    var random = SplitMix64(seed: 4)
    var table = NetworkTable<Int>()
    var all: [(IPNetwork, Int)] = []
    func randomAddress() -> IPAddress {
      // Close together, so that ranges nest.
      Bool.random(using: &random)
        ? IPAddress(v4: 0x5d00_0000 | UInt32.random(in: 0..<4_096, using: &random) << 8)
        : IPAddress(v6High: 0x2606_2800_0000_0000 | UInt64.random(in: 0..<4_096, using: &random), low: 5)
    }
    for number in 0..<400 {
      let place = randomAddress()
      let length = Int.random(in: 0...place.bitWidth, using: &random)
      guard let range = IPNetwork(place, prefixLength: length) else { continue }
      if !all.contains(where: { $0.0 == range }) { all.append((range, number)) }
      table.insert(range, number)
    }
    #expect(table.count == all.count)
    for _ in 0..<4_000 {
      let place = randomAddress()
      let best = all.filter { $0.0.contains(place) }.max { $0.0.prefixLength < $1.0.prefixLength }
      #expect(table.match(place)?.value == best?.1)
      #expect(table.contains(place) == (best != nil))
    }
  }

  @Test("keeps the families apart: a range over everything is everything of its family")
  func families() {
    var table = NetworkTable<Int>()
    table.insert(network("0.0.0.0/0"), 4)
    #expect(table.match(address("93.184.216.1"))?.value == 4)
    #expect(table.match(address("2606::1")) == nil)
    table.insert(network("::/0"), 6)
    #expect(table.match(address("2606::1"))?.value == 6)
  }
}
