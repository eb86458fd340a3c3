import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("List files")
struct ListParserTests {
  /// The entries as `line target`, and the report, with the bytes arriving in pieces of `chunk`.
  func parse(_ bytes: [UInt8], _ format: ListFormat, chunk: Int = 65_536) throws -> ([String], ListReport) {
    var parser = ListParser(format: format, suffixes: try PublicSuffixes())
    var entries: [String] = []
    var start = 0
    while start < bytes.count {
      let piece = Array(bytes[start..<min(bytes.count, start + chunk)])
      parser.feed(piece.rawSpan) { entries.append("\($0.line) \($0.target)") }
      start += chunk
    }
    let report = parser.finish { entries.append("\($0.line) \($0.target)") }
    return (entries, report)
  }

  func parse(_ text: String, _ format: ListFormat) throws -> ([String], ListReport) {
    try parse(Array(text.utf8), format)
  }

  @Test("domains: comments, blank lines, leading wildcards, letter case, final dots")
  func domains() throws {
    let (entries, report) = try parse(
      "# list\n\nBad.Example\n  *.wild.example # why\n.dot.example\nfinal.example.\n_dmarc.x.example\nlast.example",
      .domains)
    #expect(
      entries == [
        "3 bad.example", "4 wild.example", "5 dot.example", "6 final.example", "7 _dmarc.x.example", "8 last.example",
      ])
    #expect(report.badLines == 0)
    #expect(report.lines == 8)
  }

  @Test(
    "domains: lines that name no domain are bad, with the reason",
    arguments: [
      ("bücher.example", "punycode"), ("com", "public suffix"), ("*.co.uk", "public suffix"), ("a..b", "empty label"),
      ("192.0.2.1", "address"), ("2001:db8::1", "address"), ("a b.example", "character"), ("x*y.example", "wildcard"),
      ("http://a.example/", "character"), ("||a.example^", "character"), ("nul\u{0}.example", "NUL"), (".", "empty"),
      ("bell\u{7}.example", "control"), (String(repeating: "a", count: 64) + ".example", "63"),
      (String(repeating: "a.", count: 150) + "example", "253"), ("*.", "empty"), ("-", "public suffix"),
    ])
  func badDomains(line: String, word: String) throws {
    let (entries, report) = try parse("good.example\n\(line)\n", .domains)
    #expect(entries == ["1 good.example"])
    #expect(report.badLines == 1)
    #expect(report.samples.first?.line == 2)
    #expect(report.samples.first?.reason.contains(word) == true, "\(report.samples)")
    #expect(report.refusal == nil)
  }

  @Test("domains: a suffix under which a company gives out names may be listed")
  func privateSuffix() throws {
    #expect(try parse("github.io\n", .domains).0 == ["1 github.io"])
  }

  @Test("hosts: several names a line; names of the host itself are passed over")
  func hosts() throws {
    let (entries, report) = try parse(
      """
      127.0.0.1 localhost localhost.localdomain
      255.255.255.255 broadcasthost
      ::1 ip6-localhost\tip6-loopback
      fe80::1%lo0 localhost
      ff02::1 ip6-allnodes
      0.0.0.0 0.0.0.0
      0.0.0.0 a.example\t b.example # c.example
      127.0.0.1   c.example
      :: d.example
      """, .hosts)
    #expect(entries == ["7 a.example", "7 b.example", "8 c.example", "9 d.example"])
    #expect(report.badLines == 0)
    #expect(report.entries == 4)
    #expect(report.goodLines == 3)
  }

  @Test(
    "hosts: lines that point somewhere, or to nothing, are bad",
    arguments: [
      ("10.0.0.5 nas.example", "real address"), ("a.example", "does not start with an address"),
      ("0.0.0.0", "without a name"), ("0.0.0.0 com", "public suffix"),
    ])
  func badHosts(line: String, word: String) throws {
    let (entries, report) = try parse("0.0.0.0 good.example\n\(line)\n", .hosts)
    #expect(entries == ["1 good.example"])
    #expect(report.samples.map(\.line) == [2])
    #expect(report.samples.first?.reason.contains(word) == true, "\(report.samples)")
  }

  @Test("hosts: one bad name does not take its neighbours with it")
  func oneBadName() throws {
    let (entries, report) = try parse("0.0.0.0 a.example bücher.example b.example\n", .hosts)
    #expect(entries == ["1 a.example", "1 b.example"])
    #expect(report.badLines == 1)
  }

  @Test("cidr: addresses and networks of both families; host bits are cleared; both comment signs")
  func cidr() throws {
    let (entries, report) = try parse(
      "192.0.2.1\n198.51.100.77/24 ; SB1\n2001:db8::/32 # x\n::ffff:203.0.113.9\n0.0.0.0/0\nfoo\n1.2.3.4/33\n", .cidr)
    #expect(entries == ["1 192.0.2.1", "2 198.51.100.0/24", "3 2001:db8::/32", "4 203.0.113.9"])
    #expect(report.samples.map(\.line) == [5, 6, 7])
  }

  @Test("entries do not depend on how the bytes arrive", arguments: [1, 2, 3, 7, 64])
  func pieces(chunk: Int) throws {
    let bytes = Array("\u{feff}a.example\r\n\r\n# x\r\nb.example\nc.example".utf8)
    let (entries, report) = try parse(bytes, .domains, chunk: chunk)
    #expect(entries == ["1 a.example", "4 b.example", "5 c.example"])
    #expect(report.badLines == 0)
  }

  @Test("an endless line is one bad line and is not stored", arguments: [1000, 65_536])
  func longLine(chunk: Int) throws {
    let bytes = Array("a.example\n".utf8) + Array(repeating: 0x61, count: 3_000_000) + Array("\nb.example\n".utf8)
    let (entries, report) = try parse(bytes, .domains, chunk: chunk)
    #expect(entries == ["1 a.example", "3 b.example"])
    #expect(report.samples == [BadLine(line: 2, reason: "longer than 4096 bytes")])
  }

  @Test("the length limit is the same however the bytes arrive", arguments: [100, 65_536])
  func lengthLimit(chunk: Int) throws {
    let padded = { (length: Int) in Array("a.example".utf8) + Array(repeating: 0x20, count: length - 9) + [0x0a] }
    #expect(try parse(padded(4096), .domains, chunk: chunk).0 == ["1 a.example"])
    #expect(try parse(padded(4097), .domains, chunk: chunk).1.badLines == 1)
  }

  @Test("bytes of no meaning neither crash nor become entries")
  func noise() throws {
    var state: UInt64 = 42
    let bytes = (0..<200_000).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    for format in ListFormat.allCases {
      #expect(try parse(bytes, format).1.refusal != nil)
    }
  }

  @Test("a list is refused when more than 20 lines and more than a tenth are bad, or none is good")
  func refusal() throws {
    func list(good: Int, bad: Int) -> String {
      (0..<good).map { "a\($0).example\n" }.joined() + String(repeating: "not a name\n", count: bad)
    }
    #expect(try parse(list(good: 1, bad: 20), .domains).1.refusal == nil)
    #expect(try parse(list(good: 189, bad: 21), .domains).1.refusal == nil)
    #expect(try parse(list(good: 188, bad: 21), .domains).1.refusal?.hasPrefix("21 of 209 lines") == true)
    #expect(try parse(list(good: 0, bad: 1), .domains).1.refusal?.hasPrefix("none of its 1") == true)
    #expect(try parse("# nothing\n", .domains).1.refusal == nil)
    #expect(try parse("<html>\n<h1>Not found</h1>\n</html>\n", .domains).1.refusal != nil)
  }

  @Test("the loader gives out every entry with its list, warns of bad lines, and refuses at the list's line")
  func loaded() throws {
    let fixture = ConfigurationFixture()
    fixture.write("a.txt", Array("one.example\nnot a name\ntwo.example\n".utf8))
    fixture.write("b.txt", Array("<html>\n".utf8))
    let good = "denyLists:\n- {name: m, builtin: cloud-metadata}\n- {name: a, path: a.txt, format: domains}\n"
    let store = ListStore(suffixes: try PublicSuffixes())
    let loaded = try fixture.load(good) { source, _ throws(FileError) in try store.load(source) }
    let entries = try #require(loaded.lists[1].entries)
    #expect(["one.example", "two.example", "a.two.example"].map { entries.match(host($0))?.line } == [1, 3, 3])
    #expect(entries.domains == 2)
    #expect(
      loaded.warnings.map(\.description) == [
        "3:19: denyLists[1].path: list 'a', line 2: 'not a name': holds a character that no host name has"
      ])
    #expect(loaded.lists[1].modified != nil)
    #expect(loaded.summary == "2 lists, 15 entries, 0 sessions, 1 agent type")
    let faults = try fixture.faults(good + "- {name: b, path: b.txt, format: domains}\n")
    #expect(faults.count == 1)
    #expect(faults.first?.hasPrefix("4:19: denyLists[2].path: list 'b' none of its 1 lines is usable") == true)
  }

  @Test("a directory or a FIFO in the place of a list is a fault at once")
  func notAFile() throws {
    let fixture = ConfigurationFixture()
    let faults = try fixture.faults("denyLists: [{name: a, path: ., format: domains}]\n")
    #expect(faults == ["1:29: denyLists[0].path: list 'a' is no regular file; name a file"])
  }
}
