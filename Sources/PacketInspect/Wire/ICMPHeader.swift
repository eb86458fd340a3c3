/// The start of an ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
public struct ICMPFields: Hashable, Sendable {
  /// The message type; its meaning depends on the family.
  public let type: UInt8
  /// The message code.
  public let code: UInt8
  /// The identifier of an echo request or reply, nil for other types.
  public let identifier: UInt16?
  /// The sequence number of an echo request or reply, nil for other types.
  public let sequence: UInt16?

  /// Type, code and checksum: less than this is no message.
  static let minimumLength = 4
  /// The header that all common messages have.
  static let headerLength = 8

  /// From a message of at least `minimumLength` bytes.
  init(_ message: RawSpan, isIPv4: Bool) {
    type = message.byte(at: 0)
    code = message.byte(at: 1)
    let isEcho = isIPv4 ? type == 0 || type == 8 : type == 128 || type == 129
    let hasEchoFields = isEcho && message.byteCount >= Self.headerLength
    identifier = hasEchoFields ? message.u16(at: 4) : nil
    sequence = hasEchoFields ? message.u16(at: 6) : nil
  }
}
