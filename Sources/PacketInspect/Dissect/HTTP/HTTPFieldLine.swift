/// One field line of a head, with the lines folded into it (RFC 9112 section 5).
struct HTTPFieldLine {
  /// Where the name stands; empty when there is none.
  var name: Range<Int>
  /// Where the value stands, trimmed. May span folded lines, line ends included.
  var value: Range<Int>
  /// Offset after the line's end.
  var end: Int
  /// True for the empty line that ends a head.
  var isEmpty: Bool
  /// All its lines when others were folded into it, else nothing.
  var folded = 0..<0
  /// True when white space stands between the name and the colon, or before the name.
  var hasSpacedName = false

  /// The line at `start`; nil while its end, or the byte that tells whether another is folded into it, is missing.
  static func next(_ stream: RawSpan, from start: Int, _ oddities: inout Oddities) -> HTTPFieldLine? {
    guard var lineFeed = stream.firstIndex(of: 0x0a, from: start, to: stream.byteCount) else { return nil }
    var end = contentEnd(stream, start, lineFeed, &oddities)
    guard end > start else {
      return HTTPFieldLine(name: start..<start, value: start..<start, end: lineFeed + 1, isEmpty: true)
    }
    var isFolded = false
    while true {
      guard lineFeed + 1 < stream.byteCount else { return nil }
      guard isBlank(stream.byte(at: lineFeed + 1)) else { break }
      oddities.insert(.foldedHeader)
      isFolded = true
      let lineStart = lineFeed + 1
      guard let following = stream.firstIndex(of: 0x0a, from: lineStart, to: stream.byteCount) else { return nil }
      lineFeed = following
      end = contentEnd(stream, lineStart, lineFeed, &oddities)
    }
    guard var line = field(stream, start..<end) else {
      oddities.insert(.oddHeader)
      return HTTPFieldLine(
        name: start..<start, value: start..<start, end: lineFeed + 1, isEmpty: false,
        folded: isFolded ? start..<end : 0..<0
      )
    }
    if line.hasSpacedName { oddities.insert(.oddWhitespace) }
    if line.name.isEmpty { oddities.insert(.oddHeader) }
    line.end = lineFeed + 1
    if isFolded { line.folded = start..<end }
    return line
  }

  /// The name and value that stand in a range; nil without a colon.
  private static func field(_ stream: RawSpan, _ range: Range<Int>) -> HTTPFieldLine? {
    var start = range.lowerBound
    while start < range.upperBound, isBlank(stream.byte(at: start)) { start += 1 }
    guard let colon = stream.firstIndex(of: UInt8(ascii: ":"), from: start, to: range.upperBound) else { return nil }
    var end = colon
    while end > start, isSpace(stream.byte(at: end - 1)) { end -= 1 }
    return HTTPFieldLine(
      name: start..<end, value: trim(stream, colon + 1..<range.upperBound), end: range.upperBound, isEmpty: false,
      hasSpacedName: start > range.lowerBound || end < colon)
  }

  /// Calls `body` with each of some lines that has the form of a field with a value.
  static func forEachField(_ stream: RawSpan, in lines: Range<Int>, _ body: (HTTPFieldLine) -> Void) {
    var start = lines.lowerBound
    while start < lines.upperBound {
      let end = stream.firstIndex(of: 0x0a, from: start, to: lines.upperBound) ?? lines.upperBound
      if let line = field(stream, start..<end), !line.value.isEmpty { body(line) }
      start = end + 1
    }
  }

  /// Calls `body` with each element of a comma-separated list, trimmed, empty ones left out (RFC 9110 section 5.6.1).
  static func forEachElement(_ stream: RawSpan, _ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    while start < range.upperBound {
      let comma = stream.firstIndex(of: UInt8(ascii: ","), from: start, to: range.upperBound) ?? range.upperBound
      let element = trim(stream, start..<comma)
      if !element.isEmpty { body(element) }
      start = comma + 1
    }
  }

  private static func contentEnd(
    _ stream: RawSpan, _ start: Int, _ lineFeed: Int, _ oddities: inout Oddities
  ) -> Int {
    if lineFeed > start, stream.byte(at: lineFeed - 1) == 0x0d { return lineFeed - 1 }
    oddities.insert(.bareLineFeed)
    return lineFeed
  }

  private static func trim(_ stream: RawSpan, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isSpace(stream.byte(at: lower)) { lower += 1 }
    while upper > lower, isSpace(stream.byte(at: upper - 1)) { upper -= 1 }
    return lower..<upper
  }

  @inline(__always)
  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// Blanks, and what lenient servers also trim: line ends inside a folded value, vertical tab, form feed.
  @inline(__always)
  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0d) }
}

/// The words that are looked for in a head, lower-case.
enum HTTPWord {
  static let host = Array("host".utf8)
  static let upgrade = Array("upgrade".utf8)
  static let webSocket = Array("websocket".utf8)
  static let connection = Array("connection".utf8)
  static let contentType = Array("content-type".utf8)
  static let contentLength = Array("content-length".utf8)
  static let transferEncoding = Array("transfer-encoding".utf8)
  static let chunked = Array("chunked".utf8)
  static let connect = Array("connect".utf8)
  static let version = Array("http/".utf8)
  static let schemeEnd = Array("://".utf8)
}

extension RawSpan {
  /// True when the bytes from `offset` are `word`, which is lower-case ASCII, in any case.
  func matches(_ word: [UInt8], at offset: Int) -> Bool {
    guard offset >= 0, offset <= byteCount - word.count else { return false }
    for index in 0..<word.count {
      let byte = self.byte(at: offset + index)
      let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
      if lower != word[index] { return false }
    }
    return true
  }
}
