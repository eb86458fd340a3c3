import PacketInspect
import TestSupport
import Testing

@Suite("List snapshot")
struct ListSnapshotTests {
  @Test("matches a name and all below it, on label boundaries alone, whatever the case")
  func suffixes() {
    let list = listed(["evil.example", "Paste.Example", "x"])
    for name in ["evil.example", "a.evil.example", "A.B.EVIL.EXAMPLE", "evil.example.", "paste.example", "y.x"] {
      #expect(list.match(host(name)) != nil, "\(name)")
    }
    for name in ["notevil.example", "evil.example.com", "example", "evil-example", "vil.example", "xx", "x.y"] {
      #expect(list.match(host(name)) == nil, "\(name)")
    }
    #expect(list.match(HostName()) == nil)
    #expect(ListSnapshot().match(host("a.example")) == nil)
    #expect(ListSnapshot().match(address("93.184.216.1")) == nil)
  }

  @Test("names the most specific entry by its line and length, and the first of equal ones")
  func specific() {
    let list = listed(["example", "b.example", "a.b.example", "b.example"])
    #expect(list.domains == 3)
    #expect(list.match(host("x.a.b.example")) == .init(line: 3, length: 11))
    #expect(list.match(host("c.b.example")) == .init(line: 2, length: 9))
    #expect(list.match(host("c.example")) == .init(line: 1, length: 7))
  }

  @Test("finds entries of every length and number of labels that a name can have")
  func lengths() {
    // One label of 1 to 63 bytes, so that every way of cutting a label into words is taken; then ever more labels.
    let single = (1...63).map { String(repeating: "q", count: $0) }
    let deep = (2...127).map { Array(repeating: "z", count: $0).joined(separator: ".") }
    let list = listed(single + deep)
    #expect(list.domains == 63 + 126)
    for (place, name) in (single + deep).enumerated() {
      #expect(list.match(host(name)) == .init(line: place + 1, length: name.utf8.count), "\(name)")
    }
    #expect(list.match(host(String(repeating: "q", count: 64))) == nil)
    #expect(list.match(host("z")) == nil)
  }

  @Test("walks over empty labels, which only the wire can bring")
  func emptyLabels() {
    let list = listed(["evil.example"])
    for name in ["a..evil.example", "..evil.example", ".evil.example"] {
      #expect(list.match(host(name))?.line == 1, "\(name)")
    }
    for name in ["evil..example", "evil.example.."] { #expect(list.match(host(name)) == nil, "\(name)") }
  }

  @Test("answers 50,000 random names as a plain dictionary of suffixes does, under any key")
  func model() {
    var random = SplitMix64(seed: 8)
    let labels = ["a", "b", "c", "ab", "ba", "aa", "com", "net", "x-1", "long-label-of-some-kind"]
    func name() -> String {
      (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let label = labels.randomElement(using: &random) ?? "a"
        return Int.random(in: 0..<3, using: &random) == 0 ? "\(label)\(Int.random(in: 0..<40, using: &random))" : label
      }.joined(separator: ".")
    }
    for _ in 0..<2 {
      var lines: [String: Int] = [:]
      var names: [(name: HostName, line: Int)] = []
      for line in 1...3_000 {
        let entry = name()
        names.append((host(entry), line))
        if lines[entry] == nil { lines[entry] = line }
      }
      let list = ListSnapshot(names: names, key: (random.next(), random.next()))
      #expect(list.domains == lines.count)
      var hits = 0
      for _ in 0..<25_000 {
        let asked = name()
        var rest = asked[...]
        var expected = lines[asked]
        while expected == nil, let dot = rest.firstIndex(of: ".") {
          rest = rest[rest.index(after: dot)...]
          expected = lines[String(rest)]
        }
        let found = list.match(host(asked))
        #expect(found?.line == expected, "\(asked)")
        #expect(found == nil || found?.length == rest.utf8.count, "\(asked)")
        if expected != nil { hits += 1 }
      }
      #expect(hits > 2_500 && hits < 24_500)
    }
  }

  @Test("takes at most 16 bytes of index a name")
  func density() {
    for count in [1, 10, 5_000] {
      let list = ListSnapshot(names: (1...count).map { (host("n\($0).example"), $0) })
      #expect(list.domains == count)
      #expect(list.index.count <= 16 * max(2, count))
    }
  }

  @Test("holds names beside networks")
  func both() {
    let list = listed(["evil.example", "93.184.216.0/24", "2606:2800::/32"])
    #expect(list.match(host("a.evil.example"))?.line == 1)
    #expect(list.match(address("93.184.216.7")) == .init(line: 2, network: network("93.184.216.0/24")))
    #expect(list.match(address("2606:2800::7"))?.line == 3)
    #expect(list.domains == 1 && list.networks == 2)
  }
}

@Suite("List snapshot: networks")
struct SnapshotNetworkTests {
  @Test("answers with the longest prefix, as a walk over all ranges does", arguments: [1, 15, 16, 17, 300, 5_000])
  func model(count: Int) {
    var random = SplitMix64(seed: UInt64(count))
    var networks: [(network: IPNetwork, line: Int)] = []
    func randomAddress() -> IPAddress {
      switch Int.random(in: 0..<3, using: &random) {
      // Close together, so that ranges nest.
      case 0: IPAddress(v4: 0x5d00_0000 | UInt32.random(in: 0..<65_536, using: &random))
      case 1: IPAddress(v6High: 0x2606_2800_0000_0000 | UInt64.random(in: 0..<4_096, using: &random), low: 5)
      default: IPAddress(v6High: 0x2606_2800_0000_0001, low: UInt64.random(in: 0..<4_096, using: &random))
      }
    }
    var first: [IPNetwork: Int] = [:]
    for line in 1...count {
      let place = randomAddress()
      let length = Int.random(in: place.bitWidth / 2...place.bitWidth, using: &random)
      guard let range = IPNetwork(place, prefixLength: length) else { continue }
      networks.append((range, line))
      if first[range] == nil { first[range] = line }
    }
    let list = ListSnapshot(networks: networks)
    #expect(list.networks == first.count)
    var hits = 0
    for _ in 0..<2_000 {
      let place = randomAddress()
      let best = first.filter { $0.key.contains(place) }.max { $0.key.prefixLength < $1.key.prefixLength }
      let found = list.match(place)
      #expect(found?.line == best?.value && found?.network == best?.key, "\(place)")
      if found != nil { hits += 1 }
    }
    #expect(hits > 0 || count < 100)
  }

  @Test("knows the ends of what a range covers, to the address")
  func ends() {
    let list = listed(["93.184.216.0/30", "93.184.216.4/32", "255.255.255.255", "2606:2800::/126", "0.0.0.0/32"])
    func lines(_ texts: [String]) -> [Int?] { texts.map { list.match(address($0))?.line } }
    #expect(
      lines(["93.184.215.255", "93.184.216.0", "93.184.216.3", "93.184.216.4", "93.184.216.5"]) == [nil, 1, 1, 2, nil])
    #expect(lines(["255.255.255.254", "255.255.255.255", "0.0.0.0", "0.0.0.1"]) == [nil, 3, 5, nil])
    #expect(
      lines(["2606:27ff:ffff:ffff:ffff:ffff:ffff:ffff", "2606:2800::", "2606:2800::3", "2606:2800::4"])
        == [nil, 4, 4, nil])
  }

  @Test("comes back to the wider range behind a narrower one, and to nothing behind both")
  func nested() {
    let list = listed(["93.0.0.0/8", "93.184.0.0/16", "93.184.216.0/24", "0.0.0.0/0", "::/0"])
    func line(_ text: String) -> Int? { list.match(address(text))?.line }
    #expect(line("93.1.1.1") == 1 && line("93.184.1.1") == 2 && line("93.184.216.1") == 3)
    #expect(line("93.184.217.0") == 2 && line("93.185.0.0") == 1 && line("94.0.0.0") == 4 && line("1.1.1.1") == 4)
    #expect(line("2606::1") == 5)
    let four = listed(["0.0.0.0/0"])
    #expect(four.match(address("2606::1")) == nil && four.match(address("255.255.255.255"))?.line == 1)
  }
}
