import Foundation
import PacketInspect

@testable import nfq_egressd

/// The captures under Fixtures, and what they are replayed with.
enum Fixture {
  static let directory = ConfigurationFixture.repositoryFile("Tests/PacketInspectTests/Fixtures")

  /// Every directory that holds a capture.
  static let names: [String] = {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return found.filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)/in.pcap") }.sorted()
  }()

  static func capture(_ name: String) throws -> [UInt8] {
    try FileBytes.readAll("\(directory)/\(name)/in.pcap", limit: 1 << 20)
  }

  static func expectedFile(_ name: String) -> String { "\(directory)/\(name)/expected.jsonl" }

  /// The case's own policy, else the shared one. When a list was written is the checkout's affair, so it is left out.
  static func policy(_ name: String) throws -> PolicySnapshot {
    let own = "\(directory)/\(name)/policy.yaml"
    let file = FileManager.default.fileExists(atPath: own) ? own : "\(directory)/policy.yaml"
    let compiled = try PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).compile(file: file, epoch: 1)
    var parts = compiled.snapshot.parts
    for index in parts.lists.indices { parts.lists[index].modified = nil }
    return PolicySnapshot(parts, epoch: 1)
  }

  /// The lines that a replay gives.
  static func lines(_ name: String) throws -> [String] {
    var inspector = Inspector(
      policy: try policy(name), domains: try PublicSuffixes(), quicCryptography: try LibcryptoQUIC())
    var sink = EventCollector()
    let file = try capture(name)
    let summary = ReplayDriver.replay(file.rawSpan, through: &inspector, into: &sink)
    if let error = summary.error { throw error }
    let encoder = EventEncoder(
      digest: try LibcryptoDigest(), names: NameText(key: (1, 2), domains: try PublicSuffixes()))
    return sink.events.map { String(decoding: encoder.line($0).dropLast(), as: UTF8.self) }
  }

  /// The IP packets of a capture.
  static func packets(_ name: String) throws -> [[UInt8]] {
    var packets: [[UInt8]] = []
    for captured in CaptureContents(try capture(name)).packets {
      let frame = captured.frame
      guard let packet = LinkLayer.networkPacket(frame.rawSpan, linkType: captured.linkType) else { continue }
      packets.append(packet.array())
    }
    return packets
  }

  /// JSON as Foundation reads it.
  static func json(_ text: String) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    guard let object = value as? [String: Any] else { throw CocoaError(.propertyListReadCorrupt) }
    return object
  }
}
