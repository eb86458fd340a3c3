/// The kind of link-layer header in a capture (the LINKTYPE_ registry of draft-ietf-opsawg-pcaplinktype). Open.
public struct LinkType: RawRepresentable, Hashable, Sendable {
  /// The registered number.
  public let rawValue: UInt16
  /// From the registered number.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// BSD loopback: an address family in the capturing host's byte order.
  public static let null = LinkType(rawValue: 0)
  /// Ethernet.
  public static let ethernet = LinkType(rawValue: 1)
  /// PPP, with or without HDLC-like framing.
  public static let ppp = LinkType(rawValue: 9)
  /// IP without a link layer; the number that BSD's DLT_RAW has.
  public static let rawBSD = LinkType(rawValue: 12)
  /// IP without a link layer; the number that OpenBSD's DLT_RAW has.
  public static let rawOpenBSD = LinkType(rawValue: 14)
  /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC.
  public static let pppHDLC = LinkType(rawValue: 50)
  /// PPPoE session packets without Ethernet (RFC 2516).
  public static let pppEther = LinkType(rawValue: 51)
  /// IP without a link layer.
  public static let raw = LinkType(rawValue: 101)
  /// Cisco HDLC.
  public static let ciscoHDLC = LinkType(rawValue: 104)
  /// OpenBSD loopback: an address family in network byte order.
  public static let loop = LinkType(rawValue: 108)
  /// Linux "cooked" capture.
  public static let linuxSLL = LinkType(rawValue: 113)
  /// PPP behind a byte that tells the direction.
  public static let pppWithDirection = LinkType(rawValue: 204)
  /// IPv4 without a link layer.
  public static let ipv4 = LinkType(rawValue: 228)
  /// IPv6 without a link layer.
  public static let ipv6 = LinkType(rawValue: 229)
  /// Linux netfilter log messages.
  public static let nflog = LinkType(rawValue: 239)
  /// Linux "cooked" capture, version 2.
  public static let linuxSLL2 = LinkType(rawValue: 276)
}
