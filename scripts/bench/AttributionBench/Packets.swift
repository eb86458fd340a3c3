import PacketInspect

/// The packets that begin flows, from bytes written here: checksums are left out, as on a packet not yet sent.
enum Packets {
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17

  static func first(_ proto: UInt8, from source: IPAddress, _ port: UInt16, to target: IPAddress, _ targetPort: UInt16)
    -> [UInt8]
  {
    let ports = be(port) + be(targetPort)
    let transport: [UInt8] =
      proto == udp
      ? ports + [0, 9, 0, 0, 1]
      : ports + [0, 0, 3, 0xe8, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]
    if source.isIPv4 {
      let head: [UInt8] = [0x45, 0] + be(UInt16(20 + transport.count)) + [0, 1, 0, 0, 64, proto, 0, 0]
      return head + bytes(source).suffix(4) + bytes(target).suffix(4) + transport
    }
    return [0x60, 0, 0, 0] + be(UInt16(transport.count)) + [proto, 64] + bytes(source) + bytes(target) + transport
  }

  private static func be(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

  /// Sixteen bytes; an IPv4 address in the last four.
  static func bytes(_ address: IPAddress) -> [UInt8] {
    [address.high, address.low].flatMap { word in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
  }
}

/// Knows no suffixes: none of these packets names anybody.
struct NoSuffixes: RegistrableDomains, Sendable {
  func registrableLength(of _: HostName) -> Int { 0 }
}

/// Takes what the inspector says and forgets it.
struct NoEvents: EventSink {
  mutating func record(_: consuming Event) {}
  var wantsFacts: Bool { false }
  mutating func record(_: Fact) {}
}
