/// Slightly illegal or notable things in the headers of one packet. None of them stops the parse; policy and review
/// decide what they mean.
public struct WireOddities: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt16
  /// From bits.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The IP header claims more bytes than there are: the capture (or the queue's copy range) cut the packet.
  public static let truncatedCapture = WireOddities(rawValue: 1 << 0)
  /// A length field contradicts the space around it: an IPv4 total length below its header, a UDP length that is
  /// not its IP payload's, a TCP data offset that is impossible or beyond the packet.
  public static let lyingLength = WireOddities(rawValue: 1 << 1)
  /// The IP length field is zero and no jumbo option replaces it, as in captures of segmentation offload: every
  /// byte present was taken.
  public static let zeroTotalLength = WireOddities(rawValue: 1 << 2)
  /// TCP URG is set: receivers differ in whether the urgent byte is part of the stream (RFC 6093 section 3).
  public static let urgentData = WireOddities(rawValue: 1 << 3)
  /// A TCP SYN carries payload (legal, as TCP Fast Open does; most stacks ignore it otherwise).
  public static let synWithData = WireOddities(rawValue: 1 << 4)
  /// An IPv4, IPv6 or TCP option runs past its header or has a length below its own minimum.
  public static let optionsMalformed = WireOddities(rawValue: 1 << 5)
  /// The IPv6 extension headers are too many, cut, repeated, or in an order that RFC 8200 section 4.1 rules out.
  public static let extensionHeaderOdd = WireOddities(rawValue: 1 << 6)
  /// An IPv4 source-route option or an IPv6 routing header with segments left: `destination` is not the last stop.
  public static let sourceRoute = WireOddities(rawValue: 1 << 7)
  /// A TCP flag combination that no state allows: none at all, or SYN together with FIN or RST.
  public static let oddFlags = WireOddities(rawValue: 1 << 8)
  /// A fragment that is empty, ends beyond 65,535 bytes, is not a multiple of eight although more follow, or is a
  /// first one without a whole transport header (RFC 7112, RFC 1858).
  public static let fragmentOdd = WireOddities(rawValue: 1 << 9)
}
