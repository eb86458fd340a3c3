/// What the fields of a head say about the body's end, gathered field by field (RFC 9112 section 6).
struct HTTPFraming {
  private var length: UInt64?
  private var lengthsDisagree = false
  private var hasEncoding = false
  private var lastIsChunked = false
  private var anyIsChunked = false
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
        return
      }
      // Of several that differ the first is kept: where the body ends is then anyone's guess, and it is marked.
      if let length {
        if length != number { lengthsDisagree = true }
      } else {
        length = number
      }
    }
    if !found { lengthsDisagree = true }
  }

  /// One Transfer-Encoding field; several are one list.
  mutating func takeEncoding(_ stream: RawSpan, _ value: Range<Int>) {
    hasEncoding = true
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
    lengthsDisagree || (hasEncoding && (length != nil || !lastIsChunked || minorVersion == 0))
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
