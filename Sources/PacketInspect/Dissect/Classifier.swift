/// What the first bytes of a client's stream could be.
public enum StreamProtocol: Sendable {
  /// A TLS ClientHello, by its record and handshake headers.
  case tls
  /// An HTTP/1.x request, by its method or its whole request line.
  case http
  /// An HTTP/2 connection's preface (RFC 9113 section 3.4).
  case http2
  /// None of them.
  case unknown
  /// One of them, or none: too few bytes.
  case needMore
}

/// A cheap look at first bytes, so that only the dissector that fits is tried.
public enum Classifier {
  /// What `stream` could be at the start of a connection: as tolerant as the dissectors themselves.
  public static func couldBe(_ stream: RawSpan) -> StreamProtocol { couldBe(stream, midstream: false) }

  /// What `stream` could be at the start of a connection or, with `midstream`, at the start of any segment of one that
  /// spoke something else before (STARTTLS, CONNECT, SOCKS). Midstream almost nothing is mistaken for TLS or HTTP:
  /// TLS needs its first 11 bytes to agree, HTTP a known method, a plausible target, and a version where its line ends.
  public static func couldBe(_ stream: RawSpan, midstream: Bool) -> StreamProtocol {
    guard stream.byteCount > 0 else { return .needMore }
    let first = stream.byte(at: 0)
    // TLS and HTTP have no first byte in common, so the first byte decides which to try.
    if first == 0x16 || first == 0x15 || first & 0x80 != 0 {
      return midstream ? midstreamTLS(stream) : initialTLS(stream)
    }
    switch HTTP2Reader.begins(stream) {
    case .some(true): return .http2
    case nil: return .needMore
    case .some(false): break
    }
    return midstream ? midstreamHTTP(stream) : initialHTTP(stream)
  }

  private static func initialTLS(_ stream: RawSpan) -> StreamProtocol {
    if stream.byte(at: 0) & 0x80 != 0 {
      var hello = ClientHello()
      switch SSLv2Hello.parse(stream, into: &hello) {
      case .needMore: return stream.byteCount >= 11 ? .tls : .needMore
      case .complete: return .tls
      case .malformed, .notThisProtocol: return .unknown
      }
    }
    var oddities: Oddities = []
    switch TLSRecord.locate(stream, oddities: &oddities) {
    case .needMore(let recognised): return recognised ? .tls : .needMore
    case .notThisProtocol: return .unknown
    case .contiguous, .scattered, .broken: return .tls
    }
  }

  /// Record type, versions up to TLS 1.3 in both places, handshake type, and lengths that fit each other.
  private static func midstreamTLS(_ stream: RawSpan) -> StreamProtocol {
    let count = stream.byteCount
    guard stream.byte(at: 0) == 0x16, count < 2 || stream.byte(at: 1) == 3, count < 3 || stream.byte(at: 2) <= 4,
      count < 6 || stream.byte(at: 5) == 1, count < 7 || stream.byte(at: 6) == 0,
      count < 10 || stream.byte(at: 9) == 3, count < 11 || stream.byte(at: 10) <= 4
    else { return .unknown }
    guard count >= 11 else { return .needMore }
    let record = Int(stream.u16(at: 3))
    let body = Int(stream.u16(at: 7))
    // A first record this short would not hold the 11 bytes that were just compared.
    guard record >= 6, record <= TLSRecord.maximumLength, body >= TLSRecord.minimumBody else { return .unknown }
    return .tls
  }

  private static func initialHTTP(_ stream: RawSpan) -> StreamProtocol {
    switch HTTPRequestLine.parse(stream) {
    case .line: .http
    case .needMore: HTTPMethod.match(stream, from: 0) == .known ? .http : .needMore
    case .notThisProtocol: .unknown
    }
  }

  private static func midstreamHTTP(_ stream: RawSpan) -> StreamProtocol {
    switch HTTPMethod.match(stream, from: 0) {
    case .none: return .unknown
    case .prefix: return .needMore
    case .known: break
    }
    var target = 0
    while target < stream.byteCount, stream.byte(at: target) != 0x20, stream.byte(at: target) != 0x09 { target += 1 }
    target += 1
    guard target < stream.byteCount else { return .needMore }
    let byte = stream.byte(at: target)
    let isName = (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || (byte >= 0x30 && byte <= 0x39)
    guard byte == UInt8(ascii: "/") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "[") || isName else {
      return .unknown
    }
    switch HTTPRequestLine.parse(stream) {
    case .line: return .http
    // A slash after a known method is enough; a word may be prose until the version ends the line.
    case .needMore: return byte == UInt8(ascii: "/") ? .http : .needMore
    case .notThisProtocol: return .unknown
    }
  }
}
