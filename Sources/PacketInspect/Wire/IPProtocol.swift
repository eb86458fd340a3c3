/// A protocol number of the IPv4 Protocol and IPv6 Next Header fields (IANA "Protocol Numbers"). Open: a number
/// without a name here is as good as one with.
public struct IPProtocol: RawRepresentable, Hashable, Sendable {
  /// The number on the wire.
  public let rawValue: UInt8

  /// From the number on the wire.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// IPv6 hop-by-hop options (RFC 8200 section 4.3).
  public static let hopByHopOptions = IPProtocol(rawValue: 0)
  /// ICMP for IPv4 (RFC 792).
  public static let icmp = IPProtocol(rawValue: 1)
  /// IGMP (RFC 9776).
  public static let igmp = IPProtocol(rawValue: 2)
  /// IPv4 inside IP (RFC 2003).
  public static let ipv4 = IPProtocol(rawValue: 4)
  /// TCP (RFC 9293).
  public static let tcp = IPProtocol(rawValue: 6)
  /// UDP (RFC 768).
  public static let udp = IPProtocol(rawValue: 17)
  /// DCCP (RFC 4340).
  public static let dccp = IPProtocol(rawValue: 33)
  /// IPv6 inside IP (RFC 2473).
  public static let ipv6 = IPProtocol(rawValue: 41)
  /// IPv6 routing header (RFC 8200 section 4.4).
  public static let routing = IPProtocol(rawValue: 43)
  /// IPv6 fragment header (RFC 8200 section 4.5).
  public static let fragment = IPProtocol(rawValue: 44)
  /// GRE (RFC 2784).
  public static let gre = IPProtocol(rawValue: 47)
  /// Encapsulating Security Payload (RFC 4303): what follows is encrypted.
  public static let esp = IPProtocol(rawValue: 50)
  /// Authentication Header (RFC 4302): what follows is readable.
  public static let ah = IPProtocol(rawValue: 51)
  /// ICMP for IPv6 (RFC 4443).
  public static let icmpv6 = IPProtocol(rawValue: 58)
  /// IPv6 "no next header" (RFC 8200 section 4.7).
  public static let noNextHeader = IPProtocol(rawValue: 59)
  /// IPv6 destination options (RFC 8200 section 4.6).
  public static let destinationOptions = IPProtocol(rawValue: 60)
  /// SCTP (RFC 9260).
  public static let sctp = IPProtocol(rawValue: 132)
  /// UDP-Lite (RFC 3828).
  public static let udpLite = IPProtocol(rawValue: 136)
}

extension IPProtocol: CustomStringConvertible {
  /// The name EVE readers expect for the common ones, else the number in decimal.
  public var description: String {
    switch self {
    case .icmp: "ICMP"
    case .igmp: "IGMP"
    case .tcp: "TCP"
    case .udp: "UDP"
    case .gre: "GRE"
    case .esp: "ESP"
    case .ah: "AH"
    case .icmpv6: "IPv6-ICMP"
    case .sctp: "SCTP"
    default: "\(rawValue)"
    }
  }
}
