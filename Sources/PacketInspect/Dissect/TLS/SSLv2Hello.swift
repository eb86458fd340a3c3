/// The ClientHello in an SSLv2 record, which old clients send to reach servers of any version
/// (RFC 5246 appendix E.2). It has no extensions, so it never names a server.
enum SSLv2Hello {
  /// The record's length must at least cover its fixed fields, one cipher spec and the shortest challenge.
  private static let minimumLength = 9 + 3 + 16
  /// No such hello was ever longer; keeps random bytes from being waited for.
  private static let maximumLength = 2048

  /// Reads `stream`, whose first byte has its high bit set. The lengths must agree exactly: they are all that
  /// tells this hello from random bytes.
  static func parse(_ stream: RawSpan, into hello: inout ClientHello) -> StreamDissection {
    let count = stream.byteCount
    guard count >= 2 else { return .needMore }
    let length = Int(stream.u16(at: 0) & 0x7fff)
    guard length >= minimumLength, length <= maximumLength else { return .notThisProtocol }
    if count >= 3, stream.byte(at: 2) != 1 { return .notThisProtocol }
    if count >= 4, stream.byte(at: 3) != 3, stream.byte(at: 3) != 0 { return .notThisProtocol }
    guard count >= 5 else { return .needMore }
    let version = stream.u16(at: 3)
    guard version >> 8 == 3 || version == 2 else { return .notThisProtocol }
    guard count >= 11 else { return .needMore }
    let specs = Int(stream.u16(at: 5))
    let session = Int(stream.u16(at: 7))
    let challenge = Int(stream.u16(at: 9))
    guard specs > 0, specs % 3 == 0, session == 0 || session == 16 || session == 32, (16...32).contains(challenge),
      9 + specs + session + challenge == length
    else { return .notThisProtocol }
    guard count >= 2 + length else { return .needMore }
    hello.legacyVersion = version
    hello.highestVersion = version
    hello.oddities.insert(.sslv2Hello)
    var index = 11
    while index < 11 + specs {
      // A first byte other than zero is one of SSLv2's own ciphers.
      if stream.byte(at: index) == 0 { hello.cipherSuites.append(stream.u16(at: index + 1)) }
      index += 3
    }
    return .complete(length: 2 + length)
  }
}
