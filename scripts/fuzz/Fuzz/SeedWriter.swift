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

  /// What a client says to a proxy, and what it then says to the target, to the proxy's port and to others.
  mutating func writeTunnels() throws {
    let requests = [
      Array("CONNECT inner.example:443 HTTP/1.1\r\nHost: inner.example\r\n\r\n".utf8),
      [4, 1, 1, 187, 93, 184, 216, 10] + Array("me\0".utf8),
      [4, 1, 1, 187, 0, 0, 0, 1] + Array("me\0inner.example\0".utf8),
      [5, 1, 0, 5, 1, 0, 3, 13] + Array("inner.example".utf8) + [1, 187],
      [5, 2, 0, 2, 1, 2] + Array("me".utf8) + [2] + Array("pw".utf8) + [5, 1, 0, 3, 10] + Array("denied.net".utf8) + [
        1, 187,
      ],
      [5, 1, 0, 5, 1, 0, 1, 93, 184, 216, 10, 0, 80],
      [5, 1, 0, 5, 1, 0, 4, 0x26, 6, 0x28, 0, 2, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 80],
    ]
    let inner = Array("GET / HTTP/1.1\r\nHost: denied.net\r\n\r\n".utf8)
    for request in requests {
      try write(request[0] == UInt8(ascii: "C") ? .http : .socks, request)
      for inside in [inner, hellos.first ?? [], request + inner] {
        for connection: UInt8 in [1, 7] {
          let opening: [UInt8] = [0] + FuzzRecord.segment([], flags: 0x02, connection: connection)
          try write(.inspector, opening + FuzzRecord.segment(request + inside, connection: connection))
          try write(
            .inspector,
            opening + FuzzRecord.segment(request, connection: connection)
              + FuzzRecord.segment(inside, offset: request.count, connection: connection))
        }
      }
    }
  }

  /// Requests about whose end servers disagree, with others in their bodies; and HTTP/2.
  mutating func writeRequests() throws {
    let hidden = "GET / HTTP/1.1\r\nHost: denied.net\r\n\r\n"
    for (fields, body) in [
      ("Content-Length: 4\r\nTransfer-Encoding: chunked", "24\r\n\(hidden)\r\n0\r\n\r\n"),
      ("Content-Length: 5\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n\(hidden)"),
      ("Content-Length: 0\r\nContent-Length: 36", hidden), ("A: b\r\n Content-Length: 36", hidden),
      ("A: b\nTransfer-Encoding : chunked", "24\r\n\(hidden)\r\n0\r\n\r\n"),
    ] {
      let bytes = Array("POST / HTTP/1.1\r\nHost: good.example\r\n\(fields)\r\n\r\n\(body)".utf8)
      try write(.http, bytes)
      let opening: [UInt8] = [0] + FuzzRecord.segment([], flags: 0x02, connection: 1)
      try write(.inspector, opening + FuzzRecord.segment(bytes, connection: 1))
      let cut = bytes.count - 20
      try write(
        .inspector,
        opening + FuzzRecord.segment(Array(bytes[..<cut]), connection: 1)
          + FuzzRecord.segment(Array(bytes[cut...]), offset: cut, connection: 1))
    }
    // GET, http, /, a literal :authority; once more, indexed.
    let name = Array("denied.net".utf8)
    let block = [0x82, 0x86, 0x84, 0x41, UInt8(name.count)] + name
    func headers(_ block: [UInt8], stream: UInt8) -> [UInt8] {
      [0, 0, UInt8(block.count), 1, 5, 0, 0, 0, stream] + block
    }
    let connection = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
    try write(.http2, connection + headers(block, stream: 1) + headers([0x82, 0x86, 0x84, 0xbe], stream: 3))
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
