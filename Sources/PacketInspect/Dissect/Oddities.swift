/// Slightly illegal but deliverable things that a dissector saw. They never stop parsing; policy and review decide.
public struct Oddities: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// From bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A TLS extension type occurs twice (RFC 8446 section 4.2 forbids it).
  public static let duplicateExtension = Oddities(rawValue: 1 << 0)
  /// Bytes are left over inside a structure whose length covers more than its fields.
  public static let trailingBytes = Oddities(rawValue: 1 << 1)
  /// The server name is an IP literal (RFC 6066 section 3 forbids it).
  public static let addressLiteralName = Oddities(rawValue: 1 << 2)
  /// The server name list has several host names, or a name that is no host name.
  public static let oddServerName = Oddities(rawValue: 1 << 3)
  /// The hello came in an SSLv2 record (RFC 5246 appendix E.2).
  public static let sslv2Hello = Oddities(rawValue: 1 << 4)
  /// The structure's length fields contradict each other; what could be read was kept.
  public static let inconsistentLength = Oddities(rawValue: 1 << 5)
  /// Lines end in a bare line feed (RFC 9112 section 2.2).
  public static let bareLineFeed = Oddities(rawValue: 1 << 6)
  /// A header line is folded (RFC 9112 section 5.2).
  public static let foldedHeader = Oddities(rawValue: 1 << 7)
  /// Both Content-Length and Transfer-Encoding, or several lengths that differ (RFC 9112 section 6.3).
  public static let ambiguousLength = Oddities(rawValue: 1 << 8)
  /// More than one Host header, or a Host that differs from an absolute target's authority.
  public static let ambiguousHost = Oddities(rawValue: 1 << 9)
  /// White space where RFC 9112 allows none (before a colon, before the request line, inside the target).
  public static let oddWhitespace = Oddities(rawValue: 1 << 10)
  /// More than one DNS question in a message (RFC 9619).
  public static let severalQuestions = Oddities(rawValue: 1 << 11)
  /// A name with bytes that host names do not have.
  public static let oddNameBytes = Oddities(rawValue: 1 << 12)
  /// A cap of ours cut the structure; what came before it was kept.
  public static let cut = Oddities(rawValue: 1 << 13)
  /// A header line without a colon or without a name (RFC 9112 section 5).
  public static let oddHeader = Oddities(rawValue: 1 << 14)
  /// Empty records, or warning alerts, before the ClientHello is complete (RFC 8446 section 5.1).
  public static let oddRecords = Oddities(rawValue: 1 << 15)
  /// A version field with a value that no specification defines.
  public static let oddVersion = Oddities(rawValue: 1 << 16)
}
