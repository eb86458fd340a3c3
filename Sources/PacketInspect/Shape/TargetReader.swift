/// A run of bytes that may be one token, and the word before it.
struct TokenCandidate {
  var range: Range<Int>
  /// The token before it.
  var previous: Range<Int>
  var hasPercent: Bool
}

/// Cuts a request target into tokens, in one pass, and has each judged.
struct TargetReader: ~Escapable {
  private let bytes: RawSpan
  /// Where what is looked at ends.
  private let end: Int
  private let threshold: Int
  /// Characters from which on a token that decodes to text is looked at.
  private let shortest: Int
  private var judge: TokenJudge

  /// The token in hand: where it begins, and what stands before it.
  private var tokenStart = 0
  private var previous = 0..<0
  /// The longest token so far.
  private var longest = 0..<0
  private var longestHasPercent = false

  /// Two characters behind three layers of percent-encoding.
  private static var shortestEscaped: Int { 16 }
  /// Shorter ones are not told of.
  private static var shortestToken: Int { 16 }

  @_lifetime(copy bytes, copy judge)
  init(bytes: RawSpan, end: Int, threshold: Int, judge: consuming TokenJudge) {
    self.bytes = bytes
    self.end = end
    self.threshold = threshold
    self.judge = judge
    shortest = RequestShape.shortest(threshold)
  }

  /// A path: a slash ends a token.
  mutating func readPath(_ path: Range<Int>, scratch: inout [UInt8], into shape: inout RequestShape) {
    var ends = TokenEnds(.inPath)
    // The segments together, which is how base 64 with its slashes shows itself.
    var joinedStart = path.lowerBound
    var joinedIsNew = true
    var segmentStart = path.lowerBound
    var index = path.lowerBound
    begin(at: index, after: index..<index)
    while true {
      index = ends.next(from: index, to: path.upperBound, in: bytes)
      let isEnd = index == path.upperBound
      let byte = isEnd ? 0 : bytes.byte(at: index)
      if byte == UInt8(ascii: "="), isPadding(at: index) {
        index += 1
        continue
      }
      let range = tokenStart..<index
      if take(range, .path, scratch: &scratch, into: &shape) { joinedIsNew = false }
      if byte != UInt8(ascii: "/") {
        if joinedIsNew, index - joinedStart >= threshold, tokenStart != joinedStart,
          TokenStatistics(bytes, joinedStart..<index).mayBeBase64
        {
          let joined = TokenCandidate(
            range: joinedStart..<index, previous: joinedStart..<joinedStart, hasPercent: false)
          judge.take(joined, .path, isLong: true, scratch: &scratch, into: &shape)
        }
        joinedStart = index + 1
        joinedIsNew = true
      }
      if isEnd || byte == UInt8(ascii: "/") {
        if index > segmentStart { shape.pathDepth += 1 }
        shape.longestSegment = max(shape.longestSegment, index - segmentStart)
        segmentStart = index + 1
      }
      if isEnd { return }
      index += 1
      begin(at: index, after: range.isEmpty ? previous : range)
    }
  }

  /// A query: parameters are joined by `&`, and a sign of equality ends a name.
  mutating func readQuery(_ query: Range<Int>, scratch: inout [UInt8], into shape: inout RequestShape) {
    var ends = TokenEnds(.inQuery)
    var awaitsName = true
    var segmentStart = query.lowerBound
    var index = query.lowerBound
    begin(at: index, after: index - 1..<index - 1)
    while true {
      index = ends.next(from: index, to: query.upperBound, in: bytes)
      let isEnd = index == query.upperBound
      let byte = isEnd ? 0 : bytes.byte(at: index)
      if byte == UInt8(ascii: "="), !awaitsName, isPadding(at: index) {
        index += 1
        continue
      }
      let range = tokenStart..<index
      _ = take(range, .query, scratch: &scratch, into: &shape)
      // A value that is cut by dots keeps its parameter's name.
      var before = !range.isEmpty && (awaitsName || byte != UInt8(ascii: ".")) ? range : previous
      if isEnd || byte == UInt8(ascii: "&") {
        if index > segmentStart || !awaitsName { shape.parameters += 1 }
        shape.longestParameter = max(shape.longestParameter, index - segmentStart)
        segmentStart = index + 1
        awaitsName = true
        before = index..<index
      } else if awaitsName, byte == UInt8(ascii: "=") {
        awaitsName = false
        segmentStart = index + 1
      }
      if isEnd { return }
      index += 1
      begin(at: index, after: before)
    }
  }

  /// What can only be said of the whole.
  mutating func finish(_ path: Range<Int>, _ query: Range<Int>, into shape: inout RequestShape) {
    // The longest of a request without long ones is told of, but not judged.
    if longest.count < threshold, !longest.isEmpty, !longestHasPercent {
      shape.token.encoding = TokenClassifier.encoding(bytes, longest, minimum: TokenClassifier.minimumInRequest)
    }
    if shape.token.encoding.isEncoded {
      if shape.token.content == nil {
        shape.token.content = DecodedBytes(bytes, longest, shape.token.encoding).content
      }
      shape.token.entropy = TokenClassifier.entropy(bytes, longest)
    }
    if shape.encodedPath == nil, let pairs = CarriedText.delimitedHex(bytes, path) {
      judge.takeDelimited(pairs, .path, into: &shape)
    }
    if shape.encodedQuery == nil, let pairs = CarriedText.delimitedHex(bytes, query) {
      judge.takeDelimited(pairs, .query, into: &shape)
    }
  }

  private mutating func begin(at index: Int, after previous: Range<Int>) {
    tokenStart = index
    self.previous = previous
  }

  /// Padding ends a token; otherwise the sign stands between a name and a value.
  private func isPadding(at index: Int) -> Bool {
    let next = index + 1 < end ? bytes.byte(at: index + 1) : 0
    return next == UInt8(ascii: "=") || next == UInt8(ascii: "/") || CharacterClass.table[Int(next)] == 0
  }

  /// Has a token judged that is long enough; true for one that reaches the threshold.
  @inline(__always)
  private mutating func take(
    _ range: Range<Int>, _ place: TokenPlace, scratch: inout [UInt8], into shape: inout RequestShape
  ) -> Bool {
    guard range.count >= Self.shortestToken else { return false }
    return takeLong(range, place, scratch: &scratch, into: &shape)
  }

  private mutating func takeLong(
    _ range: Range<Int>, _ place: TokenPlace, scratch: inout [UInt8], into shape: inout RequestShape
  ) -> Bool {
    let hasPercent = bytes.hasPercent(range)
    if range.count > longest.count {
      longest = range
      longestHasPercent = hasPercent
      shape.tokenPlace = place
      shape.token = TokenShape()
      shape.token.length = range.count
    }
    let isLong = range.count >= threshold
    guard isLong || range.count >= (hasPercent ? Self.shortestEscaped : shortest) else { return false }
    let token = judge.take(
      TokenCandidate(range: range, previous: previous, hasPercent: hasPercent), place, isLong: isLong,
      scratch: &scratch, into: &shape)
    if isLong, longest == range { shape.token = token }
    return isLong
  }
}

extension RawSpan {
  /// True when `%`, or a byte that has to be percent-encoded and is not, stands in `range` of sixteen bytes or more.
  fileprivate func hasPercent(_ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    while index + 16 < range.upperBound {
      if lanes(at: index).percents.isAny { return true }
      index += 16
    }
    return lanes(at: range.upperBound - 16).percents.isAny
  }
}
