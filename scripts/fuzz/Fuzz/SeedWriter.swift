import Foundation
import FuzzEntries
import PacketInspect

/// Writes what captures hold as inputs of each entry, no input twice.
struct SeedWriter {
  /// Captures hold long downloads; the first part of a payload is what dissectors read.
  private static let longestPayload = 4_096
  private static let longestStream = 12_000

  private let directory: URL
  private var seen: Set<[UInt8]> = []
  private var hellos: [[UInt8]] = []
  /// Seeds written.
  private(set) var count = 0

  init(directory: URL) { self.directory = directory }

  mutating func take(capture file: [UInt8]) throws {
    try write(.replay, file)
    // All packets as a capture shows them, and the agent's as the daemon is given them.
    var both: [UInt8] = [0]
    var sent: [UInt8] = [0]
    var streams: [String: [UInt8]] = [:]
    var packets: [[UInt8]] = []
    var reader = try CaptureReader(file.rawSpan)
    while let captured = try? reader.next() {
      guard let packet = LinkLayer.networkPacket(captured.frame, linkType: captured.linkType) else { continue }
      packets.append(packet.array())
    }
    for packet in packets {
      try write(.wire, Array(packet.prefix(Self.longestPayload)))
      if both.count + packet.count < Self.longestStream { both += [0xd0] + FuzzRecord.packet(packet, kind: 0x02) }
      guard let view = try? PacketView.parse(packet.rawSpan) else { continue }
      let isAgents = view.destinationPort < view.sourcePort
      if isAgents || view.sourcePort == 53, sent.count + packet.count < Self.longestStream {
        sent += [0xd0] + FuzzRecord.packet(packet, kind: 0x00)
      }
      let payload = Array(view.payload.array().prefix(Self.longestPayload))
      guard !payload.isEmpty else { continue }
      if view.tcp != nil {
        streams["\(view.source) \(view.sourcePort)", default: []] += payload
      } else if view.sourcePort == 53 || view.destinationPort == 53 {
        try write(.dns, payload)
      } else {
        try write(.quic, payload)
      }
    }
    try write(.inspector, both)
    try write(.inspector, sent)
    for stream in streams.values { try take(stream: stream) }
  }

  private mutating func take(stream: [UInt8]) throws {
    let start = Array(stream.prefix(Self.longestPayload))
    try write(start[0] == 0x16 ? .tls : .http, start)
    // DNS over TCP: the message behind its length.
    if start.count > 14, Int(start[0]) << 8 | Int(start[1]) == start.count - 2 { try write(.dns, Array(start[2...])) }
    if start[0] == 0x16, start.count > 60, start[5] == 1 {
      let length = min(start.count - 5, Int(start[3]) << 8 | Int(start[4]))
      hellos.append(Array(start[5..<5 + length]))
    }
    var whole: [UInt8] = [0] + FuzzRecord.segment([], flags: 0x02)
    var pieces = whole
    whole += FuzzRecord.segment(start)
    for offset in stride(from: 0, to: min(start.count, 2_000), by: 200) {
      pieces += FuzzRecord.segment(Array(start[offset..<min(offset + 200, start.count)]), offset: offset)
    }
    try write(.inspector, whole)
    try write(.inspector, pieces)
    try write(
      .inspector, [0] + FuzzRecord.segment([], flags: 0x02, connection: 2) + FuzzRecord.segment(start, connection: 2))
  }

  /// What captures do not hold: Initial packets in the clear, around the hellos that they do hold.
  mutating func writeMadeOnes() throws {
    for (number, hello) in hellos.enumerated() {
      for version: UInt32 in [1, 0x6b33_43cf, 0xff00_001d] {
        let whole = ClearInitial(version: version).packet(ClearInitial.crypto(hello, 0..<hello.count))
        try write(.quic, whole)
        try write(.inspector, [UInt8(number & 7)] + FuzzRecord.datagram(whole))
      }
      let middle = hello.count / 2
      let second = ClearInitial(number: 1).packet(ClearInitial.crypto(hello, middle..<hello.count))
      let first = ClearInitial().packet(ClearInitial.crypto(hello, 0..<middle))
      let other = ClearInitial(destination: 9).packet(ClearInitial.crypto(hello, 0..<hello.count))
      try write(.quic, second + first)
      try write(.inspector, [0] + [second, first, other].flatMap { FuzzRecord.datagram($0) })
      try write(.inspector, [0] + FuzzRecord.datagram(first + other) + [0xff] + FuzzRecord.datagram(second))
    }
  }

  private mutating func write(_ entry: FuzzEntry, _ bytes: [UInt8]) throws {
    guard seen.insert(Array(entry.rawValue.utf8) + bytes).inserted else { return }
    let folder = directory.appendingPathComponent(entry.rawValue)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    count += 1
    try Data(bytes).write(to: folder.appendingPathComponent("seed-\(count)"))
  }
}

/// Records of the inspector's entry.
enum FuzzRecord {
  static func packet(_ bytes: [UInt8], kind: UInt8) -> [UInt8] { [kind] + counted(bytes) }

  static func segment(_ payload: [UInt8], flags: UInt8 = 0x18, offset: Int = 0, connection: UInt8 = 0) -> [UInt8] {
    [0x40 | connection, flags] + be16(offset) + [0] + counted(payload)
  }

  static func datagram(_ payload: [UInt8]) -> [UInt8] { [0x80] + counted(payload) }

  private static func counted(_ bytes: [UInt8]) -> [UInt8] { be16(bytes.count) + bytes }
  static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }
}

/// An Initial packet as `ClearCryptography` opens it.
struct ClearInitial {
  var version: UInt32 = 1
  var destination: UInt8 = 7
  var number: UInt8 = 0

  static func crypto(_ message: [UInt8], _ range: Range<Int>) -> [UInt8] {
    [6] + variable(range.lowerBound) + variable(range.count) + message[range]
  }

  static func variable(_ value: Int) -> [UInt8] { FuzzRecord.be16(value | 0x4000) }

  func packet(_ frames: [UInt8]) -> [UInt8] {
    let type: UInt8 = version == 0x6b33_43cf ? 1 : 0
    let payload = frames + [UInt8](repeating: 0, count: ClearCryptography.tagLength)
    return [0xc0 | type << 4] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: version >> $0) }
      + [8] + [UInt8](repeating: destination, count: 8) + [0, 0] + Self.variable(1 + payload.count) + [number] + payload
  }
}
