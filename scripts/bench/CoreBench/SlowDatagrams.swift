import FuzzEntries
import PacketInspect

/// Datagrams made to be dear: DNS answers and QUIC.
enum SlowDatagrams {
  static var all: [SlowInput] {
    [
      ("an answer of 16 aliases and 240 addresses", aliases),
      ("a QUIC hello in 250 frames, last to first", datagrams([shuffled])),
      ("8 QUIC packets of unknown IDs beside 16 connections", datagrams(manyConnections + [unknown, unknown])),
    ]
  }

  private static let client = Endpoint(address: 0x0a07_0002, port: 40_001)
  private static let server = Endpoint(address: 0x5db8_d80b, port: 443)

  private static func datagrams(_ payloads: [[UInt8]]) -> [InspectorEntry.Record] {
    payloads.map {
      let packet = Packet.udp(from: client, to: server, $0)
      return .packet(packet, PacketMeta(hook: .forward, originalLength: packet.count))
    }
  }

  /// A chain of names, one alias each, and at its end as many addresses as are read.
  private static var aliases: [InspectorEntry.Record] {
    func name(_ number: Int) -> [UInt8] {
      [2] + Array("n\(Character(UnicodeScalar(97 + UInt8(number))))".utf8) + [1, 0x62, 0]
    }
    let question = numbers([9, 0x0100, 1, 0, 0, 0]) + name(0) + numbers([1, 1])
    var answer = numbers([9, 0x8180, 1, 255, 0, 0]) + name(0) + numbers([1, 1])
    for link in 0..<15 { answer += name(link) + numbers([5, 1, 0, 300]) + list16(name(link + 1)) }
    for address in 0..<240 { answer += name(15) + numbers([1, 1, 0, 300, 4, 0x0101, UInt16(address)]) }
    let packets = [
      Packet.udp(from: client, to: SlowInputs.resolver, question),
      Packet.udp(from: SlowInputs.resolver, to: client, answer),
    ]
    return packets.map { .packet($0, PacketMeta(hook: .forward, originalLength: $0.count)) }
  }

  private static var hello: [UInt8] {
    var traffic = Traffic(seed: 5)
    return Array(traffic.clientHello("a.example", shuffled: false).dropFirst(5))
  }

  private static func crypto(_ range: Range<Int>) -> [UInt8] {
    [6] + numbers([UInt16(range.lowerBound) | 0x4000, UInt16(range.count) | 0x4000]) + hello[range]
  }

  private static var shuffled: [UInt8] {
    let parts = (0..<250).map { crypto($0 * 2..<$0 * 2 + 2) } + [crypto(500..<hello.count)]
    return initial(id: [7], Array(parts.reversed().joined()))
  }

  private static var manyConnections: [[UInt8]] {
    (0..<16).map { initial(id: [UInt8($0 + 1)], crypto(0..<hello.count)) }
  }

  /// Opened by nobody's keys, as `CostlyClearCryptography` has it.
  private static var unknown: [UInt8] {
    (0..<8).flatMap { initial(id: [UInt8(100 + $0)], [UInt8](repeating: 0, count: 140), tag: 0xff) }
  }

  /// An Initial packet in the clear, for the keys of `id` alone.
  private static func initial(id: [UInt8], _ frames: [UInt8], tag: UInt8? = nil) -> [UInt8] {
    let sealed = frames + [tag ?? id[0]] + [UInt8](repeating: 0, count: ClearCryptography.tagLength - 1)
    let header: [UInt8] = [0xc0, 0, 0, 0, 1, UInt8(id.count)] + id + [0, 0]
    return header + numbers([UInt16(1 + sealed.count) | 0x4000]) + [0] + sealed
  }
}

/// Packets in the clear at the price of protected ones: every step of the library's is taken, and its result left.
struct CostlyClearCryptography: QUICCryptography {
  let library: LibcryptoQUIC
  private let clear = ClearCryptography()

  init(_ library: LibcryptoQUIC) { self.library = library }

  func clientInitialKeys(version: QUICVersion, destinationConnectionID: [UInt8]) -> QUICInitialKeys? {
    _ = library.clientInitialKeys(version: version, destinationConnectionID: destinationConnectionID)
    return clear.clientInitialKeys(version: version, destinationConnectionID: destinationConnectionID)
  }

  func headerProtectionMask(_ keys: QUICInitialKeys, sample: RawSpan) -> [UInt8]? {
    _ = library.headerProtectionMask(keys, sample: sample)
    return clear.headerProtectionMask(keys, sample: sample)
  }

  func open(
    _ keys: QUICInitialKeys, packetNumber: UInt64, header: [UInt8], payload: RawSpan, into plain: inout [UInt8]
  ) -> Bool {
    let key = QUICInitialKeys(
      key: keys.key, iv: [UInt8](repeating: 0, count: 12), headerProtection: keys.headerProtection)
    _ = library.open(key, packetNumber: packetNumber, header: header, payload: payload, into: &plain)
    return clear.open(keys, packetNumber: packetNumber, header: header, payload: payload, into: &plain)
  }
}
