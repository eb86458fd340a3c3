/// Recognises, by first bytes and ports, protocols that are not read: only their class matters.
enum OpaqueRecogniser {
  /// A client's first bytes over TCP that are neither a hello nor a request.
  static func stream(_ bytes: RawSpan, port: UInt16) -> ProtocolClass {
    if starts(bytes, "SSH-") { return .ssh }
    if starts(bytes, "EHLO ") || starts(bytes, "HELO ") || starts(bytes, "LHLO ") { return .smtp }
    // RFC 2812 section 3.1: a client registers with PASS, NICK and USER; CAP is of the later revision. FTP logs in with
    // USER as well, so there the port tells.
    if port == 21, starts(bytes, "USER ") || starts(bytes, "AUTH ") { return .ftp }
    if starts(bytes, "NICK ") || starts(bytes, "CAP LS") || starts(bytes, "CAP REQ") { return .irc }
    if (6_660...6_669).contains(port) || port == 7_000, starts(bytes, "USER ") || starts(bytes, "PASS ") { return .irc }
    return .opaqueTCP
  }

  /// A client's first datagram that is neither DNS nor QUIC.
  static func datagram(_ bytes: RawSpan, port: UInt16) -> ProtocolClass {
    // RFC 8489 section 5: two zero bits, a length of whole words, the magic cookie.
    if bytes.byteCount >= 20, bytes.byte(at: 0) < 0x40, bytes.u32(at: 4) == 0x2112_a442, bytes.u16(at: 2) % 4 == 0 {
      return .stun
    }
    // RFC 5905 section 7.3: 48 bytes, extensions and authenticator behind; modes 1 (active), 3 (client), 6 (control).
    if port == 123, bytes.byteCount >= 12, bytes.byteCount <= 1_024, [1, 3, 6].contains(bytes.byte(at: 0) & 7) {
      return .ntp
    }
    return .opaqueUDP
  }

  private static func starts(_ bytes: RawSpan, _ word: StaticString) -> Bool {
    guard bytes.byteCount >= word.utf8CodeUnitCount else { return false }
    var index = 0
    for scalar in "\(word)".utf8 {
      // Commands may be written in either case; identification strings are not, and lose nothing by it.
      let byte = bytes.byte(at: index)
      guard byte == scalar || (scalar >= 0x41 && scalar <= 0x5a && byte == scalar | 0x20) else { return false }
      index += 1
    }
    return true
  }
}
