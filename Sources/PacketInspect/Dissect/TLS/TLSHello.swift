/// Finds and reads the ClientHello at the start of a client's byte stream (RFC 8446, RFC 5246).
public enum TLSHello {
  /// The longest ClientHello read, handshake header included. Real ones are under 4 KiB with post-quantum key
  /// shares; more would let one flow hold more memory than the stream assembly grants it.
  public static let maximumMessageLength = 16_384

  /// Reads `stream`, which may begin with a TLS record and holds as many contiguous bytes as have arrived.
  ///
  /// A hello inside one record is read in place. One that is spread over several is first joined in `scratch`, whose
  /// storage is reused. `complete(length:)` counts up to the hello's last byte, which is usually the end of a record.
  /// `hello` is emptied first. After `malformed` it holds what could still be read, and may well name a server:
  /// `malformed(.tooMany)` is a hello longer than `maximumMessageLength`, `badLength` and `badValue` are damage.
  public static func parse(
    _ stream: RawSpan, into hello: inout ClientHello, scratch: inout [UInt8]
  ) -> StreamDissection {
    hello.reset()
    guard stream.byteCount > 0 else { return .needMore }
    if stream.byte(at: 0) & 0x80 != 0 { return SSLv2Hello.parse(stream, into: &hello) }
    switch TLSRecord.locate(stream, oddities: &hello.oddities) {
    case .needMore:
      return .needMore
    case .notThisProtocol:
      hello.oddities = []
      return .notThisProtocol
    case .contiguous(let range):
      if let error = hello.read(message: stream.extracting(range)) { return .malformed(error) }
      return .complete(length: range.upperBound)
    case .scattered(let count, let end):
      TLSRecord.join(stream, count: count, into: &scratch)
      if let error = hello.read(message: scratch.rawSpan.extracting(0..<count)) { return .malformed(error) }
      return .complete(length: end)
    case .broken(let error, let gathered):
      let count = min(gathered, maximumMessageLength)
      TLSRecord.join(stream, count: count, into: &scratch)
      _ = hello.read(message: scratch.rawSpan.extracting(0..<count))
      hello.oddities.insert(.cut)
      return .malformed(error)
    }
  }

  /// Reads a ClientHello handshake message that no records wrap, as QUIC's CRYPTO frames carry it (RFC 9001
  /// section 4.1.3): `message` begins with the handshake type and holds as many contiguous bytes as have arrived.
  public static func parseMessage(_ message: RawSpan, into hello: inout ClientHello) -> StreamDissection {
    hello.reset()
    if message.byteCount >= 1, message.byte(at: 0) != 1 { return .notThisProtocol }
    guard message.byteCount >= 4 else { return .needMore }
    let length = 4 + Int(message.u32(at: 0) & 0xff_ffff)
    guard length >= 4 + TLSRecord.minimumBody else { return .notThisProtocol }
    guard length <= maximumMessageLength else {
      _ = hello.read(message: message)
      hello.oddities.insert(.cut)
      return .malformed(.tooMany)
    }
    guard message.byteCount >= length else { return .needMore }
    if let error = hello.read(message: message.extracting(0..<length)) { return .malformed(error) }
    return .complete(length: length)
  }
}
