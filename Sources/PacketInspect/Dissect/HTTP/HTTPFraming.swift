/// What the fields of a head say about the body's end, gathered field by field (RFC 9112 section 6).
struct HTTPFraming {
  private var length: UInt64?
  /// The last of several lengths that differ, or what a lenient server reads of one that is no number.
  private var otherLength: UInt64?
  private var lengthsDisagree = false
  private var hasEncoding = false
  private var lastIsChunked = false
  private var anyIsChunked = false
  /// One of these fields is written in a way that some servers do not know it by.
  private var isOddlyWritten = false
  /// An Upgrade field with a value was seen.
  var hasUpgrade = false
  /// One of its protocols is WebSocket.
  var hasWebSocket = false
  /// A Connection field listed "upgrade".
  var connectionUpgrade = false
  /// A Host field was seen.
  var hasHost = false

  /// One Content-Length field; several equal values are one (RFC 9110 section 8.6).
  mutating func takeLength(_ stream: RawSpan, _ value: Range<Int>) {
    var found = false
    HTTPFieldLine.forEachElement(stream, value) { element in
      found = true
      guard let number = Self.decimal(stream, element) else {
        lengthsDisagree = true
        otherLength = Self.leadingDecimal(stream, element)
        return
      }
      // Of several that differ the first is followed: where the body ends is then anyone's guess, and it is marked.
      if let length {
        if length != number {
          lengthsDisagree = true
          otherLength = number
        }
      } else {
        length = number
      }
    }
    if !found { lengthsDisagree = true }
  }

  /// One Transfer-Encoding field; several are one list.
  mutating func takeEncoding(_ stream: RawSpan, _ value: Range<Int>) {
    hasEncoding = true
    if Self.isControl(stream, at: value.lowerBound - 1) || Self.isControl(stream, at: value.upperBound) {
      isOddlyWritten = true
    }
    HTTPFieldLine.forEachElement(stream, value) { element in
      lastIsChunked = element.count == 7 && stream.matches(HTTPWord.chunked, at: element.lowerBound)
      if lastIsChunked { anyIsChunked = true }
    }
  }

  /// The body: chunked wins over a length, as in every server that accepts both.
  var body: HTTPBodyFraming {
    if anyIsChunked { return .chunked }
    guard let length, length > 0 else { return .none }
    return .length(length)
  }

  /// True when two servers might disagree about where the body ends.
  func isAmbiguous(minorVersion: UInt8) -> Bool {
    lengthsDisagree || isOddlyWritten || (hasEncoding && (length != nil || !lastIsChunked || minorVersion == 0))
  }

  /// White space between one of these fields' names and its colon: some servers skip it, others the field.
  mutating func takeSpacedName() { isOddlyWritten = true }

  /// The readings of a body about whose end servers disagree; nil when all of them are the same. Where the fields may be
  /// passed over, since some servers do not see them so or no length holds, that there is no body is one of them.
  func contest(isHidden: Bool) -> ContestedBody? {
    var lengths: Set<UInt64> = isHidden || isOddlyWritten || length == nil ? [0] : []
    if let length { lengths.insert(length) }
    if let otherLength { lengths.insert(otherLength) }
    return ContestedBody(lengths: lengths, isChunked: hasEncoding)
  }

  /// A vertical tab or form feed, which some servers trim and others take for part of the value.
  private static func isControl(_ stream: RawSpan, at offset: Int) -> Bool {
    guard offset >= 0, offset < stream.byteCount else { return false }
    return stream.byte(at: offset) == 0x0b || stream.byte(at: offset) == 0x0c
  }

  /// The digits at the start, behind a sign, as C's strtoul reads them.
  private static func leadingDecimal(_ stream: RawSpan, _ range: Range<Int>) -> UInt64? {
    var start = range.lowerBound
    if start < range.upperBound, stream.byte(at: start) == UInt8(ascii: "+") { start += 1 }
    var end = start
    while end < range.upperBound, stream.byte(at: end) >= 0x30, stream.byte(at: end) <= 0x39 { end += 1 }
    return start < end ? decimal(stream, start..<end) : nil
  }

  /// A number of digits alone; nil when it is something else or does not fit.
  private static func decimal(_ stream: RawSpan, _ range: Range<Int>) -> UInt64? {
    var value: UInt64 = 0
    for index in range {
      let byte = stream.byte(at: index)
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }
}
