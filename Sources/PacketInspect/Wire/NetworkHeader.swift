/// What a fragment says about the datagram it is part of: all that reassembly needs. Offsets are bytes.
///
/// Stored narrow: every packet view has room for one, and nearly none is a fragment.
public struct FragmentInfo: Hashable, Sendable {
  /// The datagram's identification: 16 bits for IPv4, 32 for IPv6.
  public let identification: UInt32
  private let narrowUnfragmentableLength: UInt32
  private let narrowDataOffset: UInt32
  private let narrowDataLength: UInt32
  private let narrowNextHeaderOffset: UInt32
  private let narrowOffset: UInt16
  /// The protocol of the first header in the fragmentable part.
  public let nextHeader: IPProtocol
  /// True unless this is the datagram's last fragment.
  public let moreFragments: Bool

  /// Where the data belongs in the datagram's fragmentable part; a multiple of eight, at most 65,528.
  public var offset: Int { Int(narrowOffset) }
  /// Length of the headers that every fragment repeats: the IPv4 header, or the IPv6 headers before the fragment
  /// header.
  public var unfragmentableLength: Int { Int(narrowUnfragmentableLength) }
  /// Offset of the data from the start of the IP header.
  public var dataOffset: Int { Int(narrowDataOffset) }
  /// Length of the data as the IP header claims it.
  public var dataLength: Int { Int(narrowDataLength) }
  /// Offset, from the start of the IP header, of the byte that names the fragment header (IPv6) or the protocol
  /// (IPv4): where the reassembled packet names `nextHeader`.
  public var nextHeaderOffset: Int { Int(narrowNextHeaderOffset) }

  /// From fields whose values an IP packet can have; larger ones are cut to the width of the field.
  init(
    identification: UInt32, offset: UInt16, moreFragments: Bool, unfragmentableLength: Int, dataOffset: Int,
    dataLength: Int, nextHeader: IPProtocol, nextHeaderOffset: Int
  ) {
    self.identification = identification
    narrowOffset = offset
    self.moreFragments = moreFragments
    narrowUnfragmentableLength = UInt32(truncatingIfNeeded: unfragmentableLength)
    narrowDataOffset = UInt32(truncatingIfNeeded: dataOffset)
    narrowDataLength = UInt32(truncatingIfNeeded: max(0, dataLength))
    self.nextHeader = nextHeader
    narrowNextHeaderOffset = UInt32(truncatingIfNeeded: nextHeaderOffset)
  }

  /// What is wrong with the fragment by itself.
  var oddities: WireOddities {
    let misaligned = moreFragments && dataLength % 8 != 0
    return dataLength == 0 || misaligned || offset + dataLength > 65535 ? .fragmentOdd : []
  }
}

/// What IPv4 and IPv6 headers have in common once they are read. Lengths and offsets are bytes from the first byte
/// of the IP header.
struct NetworkHeader {
  let source: IPAddress
  let destination: IPAddress
  let hopLimit: UInt8
  /// Where the packet ends as the IP header claims it; may lie beyond the bytes present.
  let claimedEnd: Int
  /// What follows the fixed header.
  let chain: HeaderChain

  @inline(__always)
  static func parse(_ bytes: RawSpan) throws(ParseError) -> NetworkHeader {
    guard bytes.byteCount > 0 else { throw .truncated }
    switch bytes.byte(at: 0) >> 4 {
    case 4: return try parseIPv4(bytes)
    case 6: return try parseIPv6(bytes)
    default: throw .notThisProtocol
    }
  }
}

/// The way from the fixed IP header to the transport header. A value of its own, so that the rare walks of options and
/// extension headers stay out of the common path and do not force it through memory.
struct HeaderChain {
  /// The protocol after all extension headers that could be read.
  var proto: IPProtocol
  /// Where that protocol's bytes start; may lie beyond the bytes present when the capture is cut.
  var transportOffset: Int
  var oddities: WireOddities
  var fragment: FragmentInfo?

  /// Length in bytes of the Authentication Header at `offset` (RFC 4302 section 2.2: 32-bit words minus two), or nil
  /// when it does not fit before `end`.
  static func authenticationHeaderLength(_ bytes: RawSpan, at offset: Int, end: Int) -> Int? {
    guard end - offset >= 12 else { return nil }
    let length = (Int(bytes.byte(at: offset + 1)) + 2) * 4
    return length >= 12 && end - offset >= length ? length : nil
  }
}
