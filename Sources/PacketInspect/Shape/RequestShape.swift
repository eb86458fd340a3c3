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

/// A run of bytes that may be one token, and the word before it.
struct TokenCandidate {
  var range: Range<Int>
  /// The token before it, and the byte between the two.
  var previous: Range<Int>
  var separator: UInt8
  var hasPercent: Bool
}

extension RequestShape {
  /// Long tokens that are looked at closely in one request; the rest of so odd a request adds nothing.
  private static var maximumCandidates: Int { 12 }
  /// Two characters behind three layers of percent-encoding.
  private static var shortestEscaped: Int { 16 }

  /// Bytes of a target whose tokens are looked at. Common servers take no longer request line than some 8,000 bytes,
  /// which is what RFC 9112 section 3 recommends that all take; how long the rest is still shows in the lengths.
  static var maximumClassified: Int { 8_192 }

  /// Reads a request target (RFC 9112 section 3.2) that stands in `bytes`. `threshold` is the length from which on
  /// an encoded token counts; `expectsDigests` is true towards destinations whose paths are made of digests.
  /// `scratch` is for what has to be decoded.
  mutating func read(
    target: Range<Int>, in bytes: RawSpan, threshold: Int, expectsDigests: Bool, scratch: inout [UInt8]
  ) {
    var start = target.lowerBound
    // The absolute form: what comes before the path is a name, which is looked at elsewhere.
    if start < target.upperBound, bytes.byte(at: start) != UInt8(ascii: "/") {
      start = Self.pathStart(target, bytes)
    }
    let table = CharacterClass.table
    let end = min(target.upperBound, start + Self.maximumClassified)
    var inQuery = false
    var tokenStart = start
    var previous = start..<start
    var separator: UInt8 = 0
    var percents = false
    var mix: UInt8 = 0
    // A path's segments together, which is how base 64 with its slashes shows itself.
    var joinedStart = start
    var joinedMix: UInt8 = 0
    var joinedIsNew = true
    var longest = start..<start
    var longestHasPercent = false
    var segmentStart = start
    var awaitsName = false
    var candidates = InlineArray<12, TokenCandidate>(
      repeating: TokenCandidate(range: 0..<0, previous: 0..<0, separator: 0, hasPercent: false))
    var count = 0
    var firstInQuery = 0
    // Kept apart, so that short words leave room for what is long.
    let shortest = Self.shortest(threshold)
    var shorts = InlineArray<12, TokenCandidate>(
      repeating: TokenCandidate(range: 0..<0, previous: 0..<0, separator: 0, hasPercent: false))
    var shortCount = 0
    var shortsInPath = 0
    var index = start
    while true {
      let isEnd = index >= end
      let byte = isEnd ? 0 : bytes.byte(at: index)
      let kind = isEnd ? 0 : table[Int(byte)]
      var breaks = kind == 0
      if !breaks {
        if byte == UInt8(ascii: "/") {
          breaks = !inQuery
        } else if kind == CharacterClass.pad {
          // Padding ends a token; otherwise the sign stands between a name and a value.
          let next = index + 1 < end ? bytes.byte(at: index + 1) : 0
          let isPadding = next == UInt8(ascii: "=") || next == UInt8(ascii: "/") || table[Int(next)] == 0
          breaks = awaitsName || !isPadding
        }
      }
      guard breaks else {
        mix |= kind
        if kind == CharacterClass.percent { percents = true }
        index += 1
        continue
      }
      let range = tokenStart..<index
      if range.count < threshold, range.count >= (percents ? Self.shortestEscaped : shortest),
        shortCount < Self.maximumCandidates
      {
        shorts[shortCount] = TokenCandidate(
          range: range, previous: previous, separator: separator, hasPercent: percents)
        shortCount += 1
      }
      if range.count >= 16 {
        if range.count > longest.count {
          longest = range
          longestHasPercent = percents
          tokenPlace = inQuery ? .query : .path
        }
        if range.count >= threshold, count < Self.maximumCandidates {
          candidates[count] = TokenCandidate(
            range: range, previous: previous, separator: separator, hasPercent: percents)
          count += 1
          joinedIsNew = false
        }
      }
      if !inQuery {
        joinedMix |= mix
        if byte != UInt8(ascii: "/") || isEnd {
          let mixed = CharacterClass.letter | CharacterClass.upper | CharacterClass.digit
          if joinedIsNew, index - joinedStart >= threshold, range.lowerBound != joinedStart,
            joinedMix & mixed == mixed, joinedMix & CharacterClass.percent == 0, count < Self.maximumCandidates
          {
            candidates[count] = TokenCandidate(
              range: joinedStart..<index, previous: joinedStart..<joinedStart, separator: UInt8(ascii: "/"),
              hasPercent: false)
            count += 1
          }
          joinedStart = index + 1
          joinedMix = 0
          joinedIsNew = true
        }
      }
      // A value that is cut by dots keeps its parameter's name.
      if !range.isEmpty, !inQuery || awaitsName || byte != UInt8(ascii: ".") { previous = range }
      separator = byte
      tokenStart = index + 1
      percents = false
      mix = 0
      if !inQuery, isEnd || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") {
        if index > segmentStart { pathDepth += 1 }
        longestSegment = max(longestSegment, index - segmentStart)
        segmentStart = index + 1
      } else if inQuery, isEnd || byte == UInt8(ascii: "&") || byte == UInt8(ascii: "#") {
        if index > segmentStart || !awaitsName { parameters += 1 }
        longestParameter = max(longestParameter, index - segmentStart)
        segmentStart = index + 1
        awaitsName = true
        previous = index..<index
      } else if awaitsName, byte == UInt8(ascii: "=") {
        awaitsName = false
        segmentStart = index + 1
      }
      if isEnd { break }
      if byte == UInt8(ascii: "?"), !inQuery {
        inQuery = true
        awaitsName = true
        pathLength = index - start
        segmentStart = index + 1
        firstInQuery = count
        shortsInPath = shortCount
        previous = index..<index
      } else if byte == UInt8(ascii: "#") {
        break
      }
      index += 1
    }
    if inQuery { queryLength = max(0, index - start - pathLength - 1) } else { pathLength = index - start }
    defer {
      // What lies beyond is not looked at, but counted.
      if index == end, inQuery { queryLength += target.upperBound - end }
      if index == end, !inQuery { pathLength += target.upperBound - end }
    }
    if !inQuery {
      firstInQuery = count
      shortsInPath = shortCount
    }
    token.length = longest.count
    let query = inQuery ? start + pathLength + 1..<index : index..<index
    let judge = TokenJudge(
      bytes: bytes, path: start..<start + pathLength, query: query, threshold: threshold,
      expectsDigests: expectsDigests)
    if count == 0, !longest.isEmpty, !longestHasPercent { token = TokenClassifier.shape(bytes, longest) }
    for number in 0..<count {
      judge.take(candidates[number], number < firstInQuery ? .path : .query, scratch: &scratch, into: &self)
    }
    for number in 0..<shortCount {
      judge.take(shorts[number], number < shortsInPath ? .path : .query, scratch: &scratch, into: &self)
    }
    // Fourteen letters, the least that is called text, and the signs between them.
    guard index - start >= 41 else { return }
    if encodedPath == nil, let pairs = CarriedText.delimitedHex(bytes, start..<start + pathLength) {
      judge.takeDelimited(pairs, .path, into: &self)
    }
    if encodedQuery == nil, let pairs = CarriedText.delimitedHex(bytes, query) {
      judge.takeDelimited(pairs, .query, into: &self)
    }
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
