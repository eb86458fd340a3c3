import Testing

@testable import nfq_egressd

@Suite("Configuration documents")
struct DocumentTests {
  let fixture = ConfigurationFixture()

  @Test("an empty file is a fault: it may have been truncated", arguments: ["", "\n", "# nothing\n"])
  func empty(yaml: String) throws {
    #expect(try fixture.faults(yaml) == [" the file is empty; write at least 'mode: enforce'"])
  }

  @Test("a syntax error carries its line")
  func syntax() throws {
    let faults = try fixture.faults("mode: enforce\nqueues: {first: 1\nmarks: [\n")
    #expect(faults.count == 1)
    #expect(faults.first?.hasPrefix("3:") == true)
    #expect(faults.first?.contains("not valid YAML") == true)
  }

  @Test("a file that is absent, a directory, too large or not UTF-8 is a fault")
  func unreadable() throws {
    let loader = ConfigurationLoader(suffixes: try PublicSuffixes())
    let large = fixture.write("large.yaml", Array(repeating: 0x23, count: ConfigurationLoader.maximumSize + 1))
    let latin = fixture.write("latin.yaml", [0x6d, 0x3a, 0x20, 0xe9, 0x0a])
    for (path, word) in [
      ("\(fixture.directory)/absent.yaml", "does not exist"), (fixture.directory, "no regular file"),
      (large, "larger than"), (latin, "not UTF-8"),
    ] {
      let error = #expect(throws: ConfigurationFaults.self) { try loader.load(path) }
      #expect(error?.description.contains(word) == true)
      #expect(error?.description.hasPrefix("\(path): ") == true)
    }
  }

  @Test(
    "what is no mapping at the top is a fault",
    arguments: ["- a\n", "just text\n", "~\n", "mode: enforce\n---\nmode: enforce\n", "mode: \u{0}\n", "1: 2\n"])
  func notAMapping(yaml: String) throws {
    #expect(try fixture.faults(yaml).count == 1)
  }

  @Test("a byte order mark and CRLF line ends are passed over")
  func windowsText() throws {
    let loaded = try fixture.load("\u{feff}mode: enforce\r\nqueues:\r\n  first: 7\r\n")
    #expect(loaded.configuration.queues.first == 7)
    #expect(try fixture.faults("\u{feff}mode: enforce\r\nqueues:\r\n  first: x\r\n").first?.hasPrefix("3:10:") == true)
  }

  @Test("aliases stand for values")
  func aliases() throws {
    let loaded = try fixture.load(
      "agentTypes:\n  a: &common {budget: {destinations: 7}}\n  b: *common\n")
    #expect(loaded.configuration.agentTypes["b"]?.budget.destinations == 7)
  }

  @Test("merge keys are refused by name")
  func mergeKeys() throws {
    let faults = try fixture.faults("agentTypes:\n  a: &x {budget: {destinations: 7}}\n  b: {<<: *x}\n")
    #expect(faults.count == 1)
    #expect(faults.first?.contains("merge keys are not supported") == true)
  }

  @Test("aliases that would expand without end are a fault, not a wait", .timeLimit(.minutes(1)))
  func aliasBomb() throws {
    var yaml = "internalNames:\n- &a0 [x, x]\n"
    for level in 1...40 { yaml += "- &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    #expect(try !fixture.faults(yaml).isEmpty)
    for key in ["? *a40\n: 1\n", "*a40 : 1\n", "[*a40]: 1\n", "{a: *a40}: 1\n"] {
      let faults = try fixture.faults(yaml + key)
      #expect(faults.count == 1)
      #expect(faults.first?.contains("a key that is no plain word") == true)
    }
    let many = "internalNames: [&a x" + String(repeating: ", *a", count: 1001) + "]\n"
    #expect(try fixture.faults(many) == [" more than 1000 aliases; write the values out"])
    let long = "[" + String(repeating: "x, ", count: 1000) + "x]"
    let wide = "agentTypes: &n {unattributed: {}}\ninternalNames: &a \(long)\n"
    #expect(try fixture.faults(wide).isEmpty)
  }

  @Test("an expansion beyond the bound is one fault")
  func expansion() throws {
    let long = "[" + String(repeating: "{source: 1.2.3.4}, ", count: 500) + "]"
    let entries = (0..<900).map { "  t\($0): {budget: *b}" }.joined(separator: "\n")
    #expect(try fixture.faults("sessions: {addresses: \(long)}\n").count == 500)
    let map = "agentTypes:\n  first: {budget: &b {destinations: 5}}\n\(entries)\n"
    #expect(try fixture.load(map).configuration.agentTypes.count == 902)
    let log = FaultLog()
    for _ in 0...FaultLog.maximumValues { _ = log.visit() }
    #expect(!log.visit())
    #expect(log.faults.count == 1)
  }

  @Test("deep nesting is a fault, not a crash", .timeLimit(.minutes(1)))
  func nesting() throws {
    for depth in [100, 900, 100_000] {
      #expect(try !fixture.faults("internalNames: " + String(repeating: "[", count: depth)).isEmpty)
      #expect(try !fixture.faults(String(repeating: "- ", count: depth) + "x\n").isEmpty)
      #expect(
        try !fixture.faults(
          "mode: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "\n"
        ).isEmpty)
    }
  }
}
