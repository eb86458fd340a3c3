import PacketInspect

/// An address and a port, written `10.0.0.1:4000` or `[2001:db8::1]:443`.
struct Endpoint: Hashable, Sendable, ExpressibleByStringLiteral {
  var address: IPAddress
  var port: UInt16

  init(_ address: IPAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  init(stringLiteral text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      let address = IPAddress(String(text[..<colon].filter { $0 != "[" && $0 != "]" }))
    else { preconditionFailure("not an endpoint: \(text)") }
    self.init(address, port)
  }
}

/// Builds valid IP packets for tests: lengths and checksums are right, so that a test spoils exactly what it means to.
/// Both endpoints are of one family.
enum PacketBuilder {
  /// A TCP segment in an IP packet. `options` are padded to four bytes with end-of-list.
  static func tcp(
    from source: Endpoint, to destination: Endpoint, flags: TCPFlags = [.psh, .ack], sequence: UInt32 = 1000,
    acknowledgement: UInt32 = 2000, window: UInt16 = 64240, options: [UInt8] = [], payload: [UInt8] = []
  ) -> [UInt8] {
    let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
    var segment = be16(source.port) + be16(destination.port) + be32(sequence) + be32(acknowledgement)
    segment += [UInt8((20 + padded.count) / 4) << 4, flags.rawValue] + be16(window) + [0, 0, 0, 0]
    segment += padded + payload
    seal(&segment, at: 16, .tcp, source.address, destination.address)
    return ip(from: source.address, to: destination.address, .tcp, segment)
  }

  /// A UDP datagram in an IP packet. `length` overrides the honest length field.
  static func udp(
    from source: Endpoint, to destination: Endpoint, length: UInt16? = nil, payload: [UInt8] = []
  ) -> [UInt8] {
    var datagram = be16(source.port) + be16(destination.port)
    datagram += be16(length ?? UInt16(truncatingIfNeeded: 8 + payload.count)) + [0, 0] + payload
    seal(&datagram, at: 6, .udp, source.address, destination.address)
    if datagram[6] == 0, datagram[7] == 0 { (datagram[6], datagram[7]) = (0xff, 0xff) }
    return ip(from: source.address, to: destination.address, .udp, datagram)
  }

  /// An ICMP or ICMPv6 message, by the family of the addresses; type 8 and 128 are the echo requests.
  static func icmp(
    from source: IPAddress, to destination: IPAddress, type: UInt8, code: UInt8 = 0, identifier: UInt16 = 0,
    sequence: UInt16 = 0, payload: [UInt8] = []
  ) -> [UInt8] {
    let proto: IPProtocol = source.isIPv4 ? .icmp : .icmpv6
    var message = [type, code, 0, 0] + be16(identifier) + be16(sequence) + payload
    if source.isIPv4 {
      put(checksum { $0.add(message.rawSpan) }, in: &message, at: 2)
    } else {
      seal(&message, at: 2, proto, source, destination)
    }
    return ip(from: source, to: destination, proto, message)
  }

  /// An IP packet around `payload`, without fragmentation. IPv4 `options` are padded to four bytes.
  static func ip(
    from source: IPAddress, to destination: IPAddress, _ proto: IPProtocol, _ payload: [UInt8],
    identification: UInt16 = 0x1234, options: [UInt8] = []
  ) -> [UInt8] {
    precondition(source.isIPv4 == destination.isIPv4)
    guard source.isIPv4 else {
      return [0x60, 0, 0, 0] + be16(UInt16(truncatingIfNeeded: payload.count)) + [proto.rawValue, 64]
        + bytes(source) + bytes(destination) + payload
    }
    let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
    let headerLength = 20 + padded.count
    var header = [0x40 | UInt8(headerLength / 4), 0]
    header += be16(UInt16(truncatingIfNeeded: headerLength + payload.count)) + be16(identification)
    header += [0, 0, 64, proto.rawValue, 0, 0] + bytes(source) + bytes(destination) + padded
    put(checksum { $0.add(header.rawSpan) }, in: &header, at: 10)
    return header + payload
  }

  /// An IPv6 packet with extension headers put before its payload, in order. Each `body` follows the next-header byte
  /// as it is: its length byte included.
  static func inserting(_ extensions: [(proto: IPProtocol, body: [UInt8])], into packet: [UInt8]) -> [UInt8] {
    var chain: [UInt8] = []
    for (index, header) in extensions.enumerated() {
      let next = index + 1 < extensions.count ? extensions[index + 1].proto.rawValue : packet[6]
      chain += [next] + header.body
    }
    var result = Array(packet[..<40]) + chain + packet[40...]
    if let first = extensions.first { result[6] = first.proto.rawValue }
    setLength(&result)
    return result
  }

  /// The packet cut into fragments of at most `size` data bytes (a multiple of eight); IPv6 without extension headers.
  static func fragments(of packet: [UInt8], size: Int, identification: UInt32 = 0x0bad_cafe) -> [[UInt8]] {
    precondition(size > 0 && size % 8 == 0)
    let isIPv4 = packet[0] >> 4 == 4
    let headerLength = isIPv4 ? Int(packet[0] & 0xf) * 4 : 40
    let data = Array(packet[headerLength...])
    return stride(from: 0, to: data.count, by: size).map { offset in
      let end = min(offset + size, data.count)
      return fragment(
        of: packet, offset: offset, more: end < data.count, data: Array(data[offset..<end]),
        identification: identification)
    }
  }

  /// One fragment with the headers of `packet`, saying what the arguments say.
  static func fragment(
    of packet: [UInt8], offset: Int, more: Bool, data: [UInt8], identification: UInt32 = 0x0bad_cafe
  ) -> [UInt8] {
    if packet[0] >> 4 == 4 {
      var header = Array(packet[..<(Int(packet[0] & 0xf) * 4)])
      put(UInt16(truncatingIfNeeded: identification), in: &header, at: 4)
      put(UInt16(offset / 8) | (more ? 0x2000 : 0), in: &header, at: 6)
      put(UInt16(truncatingIfNeeded: header.count + data.count), in: &header, at: 2)
      put(0, in: &header, at: 10)
      put(checksum { $0.add(header.rawSpan) }, in: &header, at: 10)
      return header + data
    }
    var result = Array(packet[..<40])
    result[6] = IPProtocol.fragment.rawValue
    result += [packet[6], 0] + be16(UInt16(offset) | (more ? 1 : 0)) + be32(identification) + data
    setLength(&result)
    return result
  }

  /// The packet in an Ethernet frame, tags outermost first.
  static func ethernet(_ packet: [UInt8], tags: [(type: UInt16, id: UInt16)] = []) -> [UInt8] {
    var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    for tag in tags { frame += be16(tag.type) + be16(tag.id) }
    return frame + be16(packet[0] >> 4 == 4 ? 0x0800 : 0x86dd) + packet
  }

  /// Writes the IP length field of a packet whose length has changed, and IPv4's checksum.
  static func setLength(_ packet: inout [UInt8]) {
    if packet[0] >> 4 == 4 {
      put(UInt16(packet.count), in: &packet, at: 2)
      put(0, in: &packet, at: 10)
      let header = Array(packet[..<(Int(packet[0] & 0xf) * 4)])
      put(checksum { $0.add(header.rawSpan) }, in: &packet, at: 10)
    } else {
      put(UInt16(packet.count - 40), in: &packet, at: 4)
    }
  }

  /// Writes a 16-bit value, big-endian.
  static func put(_ value: UInt16, in bytes: inout [UInt8], at offset: Int) {
    bytes[offset] = UInt8(value >> 8)
    bytes[offset + 1] = UInt8(value & 0xff)
  }

  static func be16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

  static func be32(_ value: UInt32) -> [UInt8] {
    be16(UInt16(value >> 16)) + be16(UInt16(truncatingIfNeeded: value))
  }

  static func bytes(_ address: IPAddress) -> [UInt8] {
    if address.isIPv4 { return be32(address.v4) }
    return [address.high, address.low].flatMap {
      be32(UInt32($0 >> 32)) + be32(UInt32(truncatingIfNeeded: $0))
    }
  }

  private static func checksum(_ body: (inout InternetChecksum) -> Void) -> UInt16 {
    var checksum = InternetChecksum()
    body(&checksum)
    return checksum.value
  }

  /// Writes a checksum over the pseudo-header and the message.
  private static func seal(
    _ message: inout [UInt8], at offset: Int, _ proto: IPProtocol, _ source: IPAddress, _ destination: IPAddress
  ) {
    let whole = message
    let value = checksum {
      $0.add(source)
      $0.add(destination)
      $0.add(UInt32(whole.count))
      $0.add(UInt32(proto.rawValue))
      $0.add(whole.rawSpan)
    }
    put(value, in: &message, at: offset)
  }
}
