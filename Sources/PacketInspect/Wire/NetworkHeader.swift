/// What a fragment says about the datagram it is part of: all that reassembly needs. Offsets are bytes.
public struct FragmentInfo: Hashable, Sendable {
  /// The datagram's identification: 16 bits for IPv4, 32 for IPv6.
  public let identification: UInt32
  /// Where the data belongs in the datagram's fragmentable part; a multiple of eight, at most 65,528.
  public let offset: Int
  /// True unless this is the datagram's last fragment.
  public let moreFragments: Bool
  /// Length of the headers that every fragment repeats: the IPv4 header, or the IPv6 headers before the fragment
  /// header.
  public let unfragmentableLength: Int
  /// Offset of the data from the start of the IP header.
  public let dataOffset: Int
  /// Length of the data as the IP header claims it.
  public let dataLength: Int
  /// The protocol of the first header in the fragmentable part.
  public let nextHeader: IPProtocol
  /// Offset, from the start of the IP header, of the byte that names the fragment header (IPv6) or the protocol
  /// (IPv4): where the reassembled packet names `nextHeader`.
  public let nextHeaderOffset: Int
}

/// What IPv4 and IPv6 headers have in common once they are read. Lengths and offsets are bytes from the first byte
/// of the IP header.
struct NetworkHeader {
  var source: IPAddress
  var destination: IPAddress
  var hopLimit: UInt8
  /// The protocol after all extension headers that could be read.
  var proto: IPProtocol
  /// Where that protocol's bytes start; may lie beyond the bytes present when the capture is cut.
  var transportOffset: Int
  /// Where the packet ends as the IP header claims it; may lie beyond the bytes present, never below
  /// `transportOffset` unless the headers contradict each other.
  var claimedEnd: Int
  var fragment: FragmentInfo?
  var oddities: WireOddities

  @inline(__always)
  static func parse(_ bytes: RawSpan) throws(ParseError) -> NetworkHeader {
    guard bytes.byteCount > 0 else { throw .truncated }
    switch bytes.byte(at: 0) >> 4 {
    case 4: return try parseIPv4(bytes)
    case 6: return try parseIPv6(bytes)
    default: throw .notThisProtocol
    }
  }

  /// Notes a fragment, and what is wrong with it.
  mutating func setFragment(_ info: FragmentInfo) {
    fragment = info
    let misaligned = info.moreFragments && info.dataLength % 8 != 0
    if info.dataLength <= 0 || misaligned || info.offset &+ info.dataLength > 65535 { oddities.insert(.fragmentOdd) }
  }

  /// Length in bytes of the Authentication Header at `offset` (RFC 4302 section 2.2: 32-bit words minus two), or nil
  /// when it does not fit before `end`.
  static func authenticationHeaderLength(_ bytes: RawSpan, at offset: Int, end: Int) -> Int? {
    guard end - offset >= 12 else { return nil }
    let length = (Int(bytes.byte(at: offset + 1)) + 2) * 4
    return length >= 12 && end - offset >= length ? length : nil
  }
}
