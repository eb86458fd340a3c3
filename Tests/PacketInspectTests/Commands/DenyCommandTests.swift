import ArgumentParser
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("deny")
struct DenyCommandTests {
  let fixture = ConfigurationFixture()

  /// A configuration with two lists that share an entry, and an exception.
  private func configuration(store: String = "none") -> String {
    fixture.write("names.txt", Array("# names\nevil.example\na.both.example\n".utf8))
    fixture.write("other.txt", Array("both.example\nevil.example\nstrict.example\n".utf8))
    fixture.write("cidr.txt", Array("93.184.216.0/24\n2606:2800::/32\n".utf8))
    let yaml = """
      store: {path: \(store)}
      denyLists:
        - {name: names, path: names.txt, format: domains, maxAge: 1h}
        - {name: other, path: other.txt, format: domains, action: drop}
        - {name: nets, path: cidr.txt, format: cidr}
      denyExceptions: [good.evil.example, 93.184.216.9]

      """
    return fixture.write("config.yaml", Array(yaml.utf8))
  }

  private func find(_ subject: String) throws -> DenyCheck.Finding {
    let suffixes = try PublicSuffixes()
    let loaded = try ConfigurationLoader(suffixes: suffixes).load(
      configuration(), list: { source, _ throws(FileError) in try ListStore(suffixes: suffixes).load(source) })
    let policy = PolicySnapshot(PolicyCompiler(suffixes: suffixes, seed: 1).denials(of: loaded), epoch: 1)
    return DenyCheck.find(try TargetText.target(subject), subject, in: policy)
  }

  @Test("check names list, line and entry: the most specific entry of all lists, of two alike the first list's")
  func provenance() throws {
    let first = try find("www.EVIL.example")
    #expect(first.result == "denied" && first.list == "names" && first.line == 2 && first.entry == "evil.example")
    #expect(first.action == "reject" && (first.ageSeconds ?? -1) >= 0)
    let specific = try find("x.a.both.example")
    #expect(specific.list == "names" && specific.line == 3 && specific.entry == "a.both.example")
    let wider = try find("b.both.example")
    #expect(wider.list == "other" && wider.line == 1 && wider.action == "drop")
    let address = try find("93.184.216.7")
    #expect(address.list == "nets" && address.line == 1 && address.entry == "93.184.216.0/24")
    #expect(try find("::ffff:93.184.216.7").entry == "93.184.216.0/24")
  }

  @Test("check says what is excepted, and what no list has")
  func others() throws {
    #expect(try find("good.evil.example").result == "excepted")
    #expect(try find("93.184.216.9").result == "excepted")
    #expect(try find("example.org") == DenyCheck.Finding(subject: "example.org", result: "not-listed"))
  }

  @Test("check ends with 1 for what is denied, 0 for what is not, 64 for what is nothing")
  func status() throws {
    let file = configuration()
    #expect(throws: ExitCode(1)) { try DenyCheck.parse(["evil.example", "--config", file]).run() }
    try DenyCheck.parse(["example.org", "--config", file, "--json"]).run()
    #expect(throws: ValidationError.self) { try DenyCheck.parse(["not a name", "--config", file]).run() }
  }

  @Test("compile makes the snapshots beside the store, and status then finds them ready")
  func compile() throws {
    let file = configuration(store: "\(fixture.directory)/state.sqlite")
    let folder = "\(fixture.directory)/lists"
    defer {
      for name in ["names", "other", "nets"] { unsafe unlink("\(folder)/\(name).snapshot") }
      unsafe rmdir(folder)
    }
    try DenyCompile.parse(["--config", file, "names"]).run()
    #expect(unsafe access("\(folder)/names.snapshot", R_OK) == 0)
    #expect(unsafe access("\(folder)/other.snapshot", R_OK) != 0)
    #expect(throws: ExitCode(1)) { try DenyCompile.parse(["--config", file, "absent"]).run() }
    try DenyCompile.parse(["--config", file]).run()
    let suffixes = try PublicSuffixes()
    let loaded = try ConfigurationLoader(suffixes: suffixes).load(
      file,
      list: { source, configuration throws(FileError) in
        try ListStore.asFound(configuration, suffixes).load(source)
      })
    let rows = loaded.lists.map { DenyStatus.row($0, at: WallClock.now()) }
    #expect(rows.map(\.compiled) == [true, true, true])
    #expect(rows.map(\.names) == [2, 3, 0] && rows.map(\.networks) == [0, 0, 2])
    #expect(rows.map(\.stale) == [false, false, false] && rows[0].maxAgeSeconds == 3_600)
    let later = WallClock.now().advanced(byNanoseconds: 3_700_000_000_000)
    #expect(loaded.lists.map { DenyStatus.row($0, at: later).stale } == [true, false, false])
    try DenyStatus.parse(["--config", file]).run()
  }

  @Test("compile needs a store to put snapshots beside")
  func noStore() {
    #expect(throws: ExitCode(1)) { try DenyCompile.parse(["--config", configuration()]).run() }
  }

  @Test("compile --check reads a file that is no list yet, and knows too few and too many entries")
  func check() throws {
    let file = fixture.write("new.txt", Array("one.example\ntwo.example\n".utf8))
    try DenyCompile.parse(["--check", file, "--format", "domains", "--minimum", "2", "--maximum", "2"]).run()
    for bad in [["--minimum", "3"], ["--maximum", "1"]] {
      #expect(throws: ExitCode(1)) { try DenyCompile.parse(["--check", file, "--format", "domains"] + bad).run() }
    }
    let page = fixture.write("page.txt", Array("<html>\n".utf8))
    #expect(throws: ExitCode(1)) { try DenyCompile.parse(["--check", page, "--format", "domains"]).run() }
    #expect(throws: (any Error).self) { try DenyCompile.parse(["--check", file]) }
  }
}
