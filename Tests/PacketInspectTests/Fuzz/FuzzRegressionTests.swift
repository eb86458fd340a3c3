import Foundation
import FuzzEntries
import PacketInspect
import Testing

/// Inputs that fuzzers found go through the same entries in every test run. A trap ends the run: that is the failure.
@Suite("Fuzz regressions")
struct FuzzRegressionTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("FuzzRegressions")

  static let files: [URL] =
    ((try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [])
    .filter { $0.lastPathComponent.contains("-") }.sorted { $0.path < $1.path }

  @Test("are read without a trap and in bounded time", .timeLimit(.minutes(1)), arguments: files)
  func regression(file: URL) throws {
    let prefix = file.lastPathComponent.prefix { $0 != "-" }
    let bytes = try [UInt8](Data(contentsOf: file))
    if let entry = DaemonEntry(rawValue: String(prefix)) {
      entry.run(bytes.rawSpan)
    } else {
      let entry = try #require(FuzzEntry(rawValue: String(prefix)), "the file's name begins with its entry")
      entry.run(bytes.rawSpan)
    }
  }

  @Test("are there for the inspector and for captures, so that this suite does not pass by being empty")
  func notEmpty() {
    let entries = Set(Self.files.map { String($0.lastPathComponent.prefix { $0 != "-" }) })
    #expect(entries.isSuperset(of: ["inspector", "replay", "wire"]))
  }

  @Test("reach what they are for: every fixture goes through the entry for captures", .timeLimit(.minutes(1)))
  func fixtures() throws {
    let fixtures = Self.folder.deletingLastPathComponent().appendingPathComponent("Fixtures")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: fixtures.path).filter { $0.hasSuffix(".pcap") }
    #expect(paths.count > 20)
    for path in paths {
      FuzzEntry.replay.run(try [UInt8](Data(contentsOf: fixtures.appendingPathComponent(path))).rawSpan)
    }
  }

  @Test("reach what they are for: the example configuration, its lists and the documented requests go through theirs")
  func operators() throws {
    let example = try ConfigurationFixture.repositoryText("config/example.yaml")
    DaemonEntry.config.run(Array(example.utf8).rawSpan)
    DaemonEntry.config.run(Array("mode: observe\n".utf8).rawSpan)
    for (format, text) in ["denied.net\n*.evil.org # why\n", "0.0.0.0 denied.net\n", "192.0.2.0/24\n2001:db8::/48\n"]
      .enumerated()
    {
      DaemonEntry.list.run(([UInt8(3 * 20 + format)] + Array(text.utf8)).rawSpan)
    }
    for line in [#"{"version":1,"command":"list"}"#, #"{"version":1,"command":"show","id":"a"}"#, "{", ""] {
      DaemonEntry.control.run(Array(line.utf8).rawSpan)
    }
  }

  @Test("go through records as documented: a hello to a denied name in three segments is refused by the inspector")
  func records() {
    let hello = hello("denied.net")
    func segment(_ bytes: ArraySlice<UInt8>, flags: UInt8 = 0x18, offset: Int = 0) -> [UInt8] {
      [0x40, flags] + PacketBuilder.be16(UInt16(offset)) + [0] + PacketBuilder.be16(UInt16(bytes.count)) + bytes
    }
    let input =
      [0] + segment([], flags: 2) + segment(hello[60...], offset: 60) + segment(hello[..<20])
      + segment(hello[20..<60], offset: 20)
    var inspector = Inspector(policy: FuzzPolicy.snapshot(0, epoch: 1), domains: LastTwoLabels())
    var sink = EventCollector()
    var last: Verdict?
    InspectorEntry.forEachRecord(input.rawSpan) { record in
      guard case .packet(let packet, let meta) = record else { return }
      last = inspector.inspect(packet.rawSpan, meta: meta, now: Timestamp(seconds: 1), into: &sink).verdict
    }
    #expect(last?.reason == .deniedName)
  }
}
