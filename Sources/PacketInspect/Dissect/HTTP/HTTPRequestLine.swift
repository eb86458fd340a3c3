/// The request line (RFC 9112 section 3), read as the most permissive server would.
struct HTTPRequestLine: Equatable {
  /// Where the method stands.
  var method: Range<Int>
  /// Where the target stands, surrounding white space aside. Empty when there is none.
  var target: Range<Int>
  /// The digit after the version's dot.
  var minorVersion: UInt8
  /// Offset after the line's end.
  var end: Int
  /// What was odd.
  var oddities: Oddities

  /// What a look at the first bytes gave.
  enum Outcome: Equatable {
    case needMore
    case notThisProtocol
    case line(HTTPRequestLine)
  }

  /// An unknown method whose line has not ended by then is another protocol. Known methods, and targets that begin
  /// with a slash, may go on: some servers take targets of any length, and a long one must not blind the inspector.
  static let maximumUnknownLine = 8192

  /// Looks for a request line at the start of `stream`, behind any line ends and spaces: RFC 9112 section 2.2 has servers
  /// forgive one, and some pass over as many as come. Linear.
  static func parse(_ stream: RawSpan) -> Outcome {
    var oddities: Oddities = []
    var start = 0
    while start < stream.byteCount, isLineSpace(stream.byte(at: start)) {
      start += 1
      oddities.insert(.oddWhitespace)
    }
    var methodEnd = start
    while methodEnd < stream.byteCount, HTTPMethod.isToken(stream.byte(at: methodEnd)) {
      methodEnd += 1
      guard methodEnd - start <= HTTPMethod.maximumLength else { return .notThisProtocol }
    }
    guard methodEnd < stream.byteCount else { return .needMore }
    guard methodEnd > start, isSpace(stream.byte(at: methodEnd)) else { return .notThisProtocol }
    if isHTTP2Preface(stream, at: start) { return .notThisProtocol }
    guard let lineFeed = stream.firstIndex(of: 0x0a, from: methodEnd, to: stream.byteCount) else {
      return couldGoOn(stream, start, methodEnd) ? .needMore : .notThisProtocol
    }
    var end = lineFeed
    if stream.byte(at: end - 1) == 0x0d { end -= 1 } else { oddities.insert(.bareLineFeed) }
    if end > methodEnd, isSpace(stream.byte(at: end - 1)) { oddities.insert(.oddWhitespace) }
    while end > methodEnd, isSpace(stream.byte(at: end - 1)) { end -= 1 }
    // The version is what follows the last space: everything between it and the method is the target.
    var version = end
    while version > methodEnd, !isSpace(stream.byte(at: version - 1)) { version -= 1 }
    guard let minor = minorVersion(stream, version..<end, &oddities) else { return .notThisProtocol }
    let target = trim(stream, methodEnd..<version)
    if target.isEmpty || target.lowerBound - methodEnd != 1 || version - target.upperBound != 1
      || stream.byte(at: methodEnd) != 0x20 || stream.byte(at: version - 1) != 0x20
      || target.contains(where: { isSpace(stream.byte(at: $0)) })
    {
      oddities.insert(.oddWhitespace)
    }
    return .line(
      HTTPRequestLine(
        method: start..<methodEnd, target: target, minorVersion: minor, end: lineFeed + 1, oddities: oddities))
  }

  /// Whether a line without an end so far is worth waiting for.
  private static func couldGoOn(_ stream: RawSpan, _ start: Int, _ methodEnd: Int) -> Bool {
    if HTTPMethod.match(stream, from: start) == .known { return true }
    if methodEnd + 1 < stream.byteCount, stream.byte(at: methodEnd + 1) == UInt8(ascii: "/") { return true }
    guard stream.byteCount - start <= maximumUnknownLine else { return false }
    // An unknown method and control characters: something binary.
    for index in methodEnd..<stream.byteCount where stream.byte(at: index) < 0x20 {
      if !isLineSpace(stream.byte(at: index)) { return false }
    }
    return true
  }

  /// The version's minor digit; nil when the bytes do not begin with "HTTP/" in any case. Servers differ in how
  /// much of the rest they read.
  private static func minorVersion(_ stream: RawSpan, _ range: Range<Int>, _ oddities: inout Oddities) -> UInt8? {
    guard range.count >= 5, stream.matches(HTTPWord.version, at: range.lowerBound) else { return nil }
    guard range.count == 8, stream.byte(at: range.lowerBound + 5) == UInt8(ascii: "1"),
      stream.byte(at: range.lowerBound + 6) == UInt8(ascii: "."),
      case let digit = stream.byte(at: range.lowerBound + 7), digit == 0x30 || digit == 0x31,
      stream.byte(at: range.lowerBound) == UInt8(ascii: "H")
    else {
      oddities.insert(.oddVersion)
      guard range.count >= 8, case let digit = stream.byte(at: range.lowerBound + 7), digit >= 0x30, digit <= 0x39
      else { return 0 }
      return digit - 0x30
    }
    return digit - 0x30
  }

  /// "PRI * HTTP/2", which begins an HTTP/2 connection (RFC 9113 section 3.4) and is no request.
  private static func isHTTP2Preface(_ stream: RawSpan, at start: Int) -> Bool {
    HTTP2Reader.begins(stream.extracting(droppingFirst: start)) ?? false
  }

  /// `range` without the spaces at its ends.
  private static func trim(_ stream: RawSpan, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isSpace(stream.byte(at: lower)) { lower += 1 }
    while upper > lower, isSpace(stream.byte(at: upper - 1)) { upper -= 1 }
    return lower..<upper
  }

  /// Space, tab, vertical tab, form feed, bare carriage return: what RFC 9112 section 3 lets a lenient server split at.
  @inline(__always)
  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || (byte >= 0x0b && byte <= 0x0d)
  }

  @inline(__always)
  private static func isLineSpace(_ byte: UInt8) -> Bool { isSpace(byte) || byte == 0x0a }
}
