/// The shape of one HTTP request: sizes and classes, never content.
public struct RequestShape: Hashable, Sendable {
  /// Bytes of the path.
  public var pathLength = 0
  /// Segments of the path.
  public var pathDepth = 0
  /// Bytes of the longest segment.
  public var longestSegment = 0
  /// Bytes of the query.
  public var queryLength = 0
  /// Parameters of the query.
  public var parameters = 0
  /// Bytes of the longest parameter's value.
  public var longestParameter = 0
  /// The longest token of path and query.
  public var token = TokenShape()
  /// Where it stands; nil when no token is long enough to be looked at.
  public var tokenPlace: TokenPlace?
  /// Long encoded tokens whose structure is that of something known: signatures of signed URLs, digests, JWTs.
  public var knownTokens = 0
  /// The longest encoded token of unknown structure in the path, if it reaches the threshold.
  public var encodedPath: TokenShape?
  /// The longest encoded token of unknown structure in the query, if it reaches the threshold.
  public var encodedQuery: TokenShape?
  /// The family of the body's declared type.
  public var contentType = ContentTypeFamily.none
  /// What the first bytes of the body look like; nil when there is none, or none arrived with the head.
  public var bodyEncoding: BodyEncoding?
  /// The body's declared length in bytes; nil when it is sent in chunks.
  public var bodyLength: UInt64? = 0

  /// The shape of an empty request.
  public init() {}
}

/// Where a token stands.
public enum TokenPlace: String, Hashable, Sendable, CaseIterable {
  /// In the path.
  case path
  /// In the query.
  case query
}

extension RequestShape {
  /// Bytes of a target whose tokens are looked at. Common servers take no longer request line than some 8,000 bytes,
  /// which is what RFC 9112 section 3 recommends that all take; how long the rest is still shows in the lengths.
  static var maximumClassified: Int { 8_192 }

  /// Reads a request target (RFC 9112 section 3.2) that stands in `bytes`. `threshold` is the length from which on
  /// an encoded token counts; `expectsDigests` is true towards destinations whose paths are made of digests.
  /// `scratch` is for what has to be decoded.
  ///
  /// Every token is judged where it ends, however many there are: no number of harmless ones makes room for one that is
  /// not. What that costs is bounded by the bytes that are looked at.
  mutating func read(
    target: Range<Int>, in bytes: RawSpan, threshold: Int, expectsDigests: Bool, scratch: inout [UInt8]
  ) {
    var start = target.lowerBound
    // The absolute form: what comes before the path is a name, which is looked at elsewhere.
    if start < target.upperBound, bytes.byte(at: start) != UInt8(ascii: "/") {
      start = Self.pathStart(target, bytes)
    }
    let end = min(target.upperBound, start + Self.maximumClassified)
    let fragment = bytes.firstIndex(of: UInt8(ascii: "#"), from: start, to: end) ?? end
    let mark = bytes.firstIndex(of: UInt8(ascii: "?"), from: start, to: fragment)
    let path = start..<(mark ?? fragment)
    let query = (mark.map { $0 + 1 } ?? fragment)..<fragment
    var reader = TargetReader(
      bytes: bytes, end: end, threshold: threshold,
      judge: TokenJudge(bytes: bytes, path: path, query: query, threshold: threshold, expectsDigests: expectsDigests))
    reader.readPath(path, scratch: &scratch, into: &self)
    pathLength = path.count
    if mark != nil {
      reader.readQuery(query, scratch: &scratch, into: &self)
      queryLength = query.count
    }
    reader.finish(path, query, into: &self)
    // What lies beyond is not looked at, but counted.
    guard fragment == end else { return }
    if mark != nil { queryLength += target.upperBound - end } else { pathLength += target.upperBound - end }
  }

  /// Where the path of an absolute-form target begins.
  private static func pathStart(_ target: Range<Int>, _ bytes: RawSpan) -> Int {
    var index = target.lowerBound
    while index + 2 < target.upperBound {
      if bytes.byte(at: index) == UInt8(ascii: ":"), bytes.byte(at: index + 1) == UInt8(ascii: "/"),
        bytes.byte(at: index + 2) == UInt8(ascii: "/")
      {
        return bytes.firstIndex(of: UInt8(ascii: "/"), from: index + 3, to: target.upperBound) ?? target.upperBound
      }
      if bytes.byte(at: index) == UInt8(ascii: "?") || bytes.byte(at: index) == UInt8(ascii: "/") { break }
      index += 1
    }
    return target.lowerBound
  }
}
