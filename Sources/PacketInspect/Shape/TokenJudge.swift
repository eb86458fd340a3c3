/// Tells long encoded tokens of known structure from those of none.
///
/// What is excused must look like what it claims to be. A digest or signature decodes to bytes without structure;
/// one that decodes to text, or to a file's first bytes, is data whatever its parameter is called.
struct TokenJudge: ~Escapable {
  let bytes: RawSpan
  let path: Range<Int>
  let query: Range<Int>
  private let threshold: Int
  private let expectsDigests: Bool
  /// Long tokens that were known so far.
  private var knownTokens = 0
  // What is looked up once for all tokens of a request.
  private var knownQueryRoles: QueryRoles?
  var knownExpiryAndSignature: Bool?
  /// The token with dots that was looked at last, and whether it is a JWT.
  var lastDotted = (range: 0..<0, isJWT: false)

  /// Characters from which on a token is flagged when what it decodes to is text: 20 where other tokens are from 64 on.
  private var shortest: Int { RequestShape.shortest(threshold) }

  /// Digests in one path that are taken for such: a repository's and an object's.
  private static var maximumDigests: Int { 2 }
  /// The longest unstructured token that a font, image or script may have for a name.
  private static var longestAssetName: Int { 192 }

  @_lifetime(copy bytes)
  init(bytes: RawSpan, path: Range<Int>, query: Range<Int>, threshold: Int, expectsDigests: Bool) {
    self.bytes = bytes
    self.path = path
    self.query = query
    self.threshold = threshold
    self.expectsDigests = expectsDigests
  }

  /// What the parameters of the query are.
  private var queryRoles: QueryRoles {
    mutating get {
      if let known = knownQueryRoles { return known }
      let roles = QueryRoles(query, bytes)
      knownQueryRoles = roles
      return roles
    }
  }

  /// Classifies a candidate and adds it to the shape: as known, or as the place's longest encoded token. `isLong` says
  /// that it reaches the threshold: of shorter ones only those that decode to text matter. Returns how a long one is
  /// written, and what it decodes to if that was looked at.
  @discardableResult
  mutating func take(
    _ candidate: TokenCandidate, _ place: TokenPlace, isLong: Bool, scratch: inout [UInt8],
    into shape: inout RequestShape
  ) -> TokenShape {
    let range = candidate.range
    var token = TokenShape()
    token.length = range.count
    if candidate.hasPercent {
      takePercent(candidate, place, scratch: &scratch, into: &shape)
      return token
    }
    if isLong {
      token.encoding = TokenClassifier.encoding(bytes, range, minimum: TokenClassifier.minimumInRequest)
    }
    var result = token
    if !result.encoding.isEncoded {
      guard let carrier = CarriedText.encoding(bytes, range) else { return result }
      token.carriesText(by: carrier)
    }
    var isKnown = isJWT(range)
    if !isKnown {
      if result.encoding.isEncoded {
        token.content = DecodedBytes(bytes, range, token.encoding).content
        result.content = token.content
      }
      isKnown = isAccountedFor(candidate, token, place)
    }
    if isKnown {
      if isLong { knownTokens += 1 }
      shape.knownTokens += 1
    } else {
      shape.note(token, place, bytes, range)
    }
    return result
  }

  /// Takes pairs of hexadecimal digits between signs, which are no token: text for certain.
  func takeDelimited(_ range: Range<Int>, _ place: TokenPlace, into shape: inout RequestShape) {
    var token = TokenShape()
    token.length = range.count
    token.carriesText(by: .hex)
    shape.note(token, place, bytes, range)
  }

  /// A token with percent-encoding: what matters is what it decodes to, unless nothing needed the encoding.
  private mutating func takePercent(
    _ candidate: TokenCandidate, _ place: TokenPlace, scratch: inout [UInt8], into shape: inout RequestShape
  ) {
    let escapes = PercentDecoding.decode(bytes, candidate.range, into: &scratch)
    if escapes.isUnneeded || escapes.isNoText {
      var token = TokenShape()
      token.encoding = .percent
      token.length = candidate.range.count
      token.content = escapes.isUnneeded ? .structured : .uniform
      if token.length >= threshold || escapes.isUnneededEverywhere { shape.note(token, place, bytes, candidate.range) }
      return
    }
    guard escapes.decodedCount >= shortest else { return }
    // What was encoded has tokens of its own: a URL, JSON, base 64 with its padding.
    let roles = place == .query ? NameRole.role(bytes, candidate.previous) : []
    let decoded = scratch.rawSpan.extracting(0..<escapes.decodedCount)
    var ends = TokenEnds(.decoded)
    var inner = TokenJudge(
      bytes: decoded, path: 0..<0, query: 0..<decoded.byteCount, threshold: threshold, expectsDigests: expectsDigests)
    var start = 0
    var previous = 0..<0
    var index = 0
    while index <= decoded.byteCount {
      index = ends.next(from: index, to: decoded.byteCount, in: decoded)
      if index < decoded.byteCount, decoded.byte(at: index) == UInt8(ascii: "=") {
        // A sign of equality behind a name.
        let next = index + 1 < decoded.byteCount ? CharacterClass.table[Int(decoded.byte(at: index + 1))] : 0
        guard next != 0, next != CharacterClass.pad else {
          index += 1
          continue
        }
      }
      let range = start..<index
      if range.count >= shortest, let (token, found) = inner.findDecoded(range) {
        if inner.isKnown(token, found, roles.union(NameRole.role(decoded, previous)), beside: queryRoles) {
          shape.knownTokens += 1
        } else {
          shape.note(token, place, decoded, found)
        }
      }
      if !range.isEmpty { previous = range }
      start = index + 1
      index += 1
    }
  }

  /// An encoded token within what was percent-encoded: whole, else between its slashes.
  private func findDecoded(_ range: Range<Int>) -> (TokenShape, Range<Int>)? {
    var token = TokenShape()
    token.length = range.count
    token.encoding = TokenClassifier.encoding(bytes, range, minimum: TokenClassifier.minimumInRequest)
    var found = range
    if !token.encoding.isEncoded {
      var start = range.lowerBound
      while start < range.upperBound {
        let end = bytes.firstIndex(of: UInt8(ascii: "/"), from: start, to: range.upperBound) ?? range.upperBound
        if end - start >= shortest, end - start < range.count {
          let encoding = TokenClassifier.encoding(bytes, start..<end, minimum: TokenClassifier.minimumInRequest)
          if encoding.isEncoded, !token.encoding.isEncoded || end - start > token.length {
            token.encoding = encoding
            token.length = end - start
            found = start..<end
          }
        }
        start = end + 1
      }
    }
    if token.length < threshold || !token.encoding.isEncoded {
      guard let encoding = CarriedText.encoding(bytes, found) else { return nil }
      token.carriesText(by: encoding)
    } else {
      token.content = DecodedBytes(bytes, found, token.encoding).content
    }
    return (token, found)
  }

  /// True for what was found in what was percent-encoded when it, its name or the parameters beside it account for it.
  private mutating func isKnown(
    _ token: TokenShape, _ found: Range<Int>, _ role: NameRole, beside outer: QueryRoles
  ) -> Bool {
    let isPart = found.lowerBound > 0 || found.upperBound < bytes.byteCount
    // A path or file name within what was encoded is judged as one.
    let isInnerDigest =
      isPart && token.encoding == .hex && token.content == .uniform && Self.isDigestLength(token.length)
    if isInnerDigest || isJWT(found) || isStatusRequest(found, token) { return true }
    let own = queryRoles
    return isKnownValue(token, role, outer.all.union(own.all), max(outer.oauth, own.oauth))
  }

  /// True when what the token is, where it stands and what stands beside it account for it.
  private mutating func isAccountedFor(_ candidate: TokenCandidate, _ token: TokenShape, _ place: TokenPlace) -> Bool {
    if isMarkedDigest(candidate, token) || isStatusRequest(candidate.range, token) { return true }
    let role = NameRole.role(bytes, candidate.previous)
    switch place {
    case .path:
      guard token.content == .uniform else { return false }
      if isDigestAmongWords(candidate.range, token) { return knownTokens < Self.maximumDigests || expectsDigests }
      if token.encoding == .base32, isContentIdentifier(candidate.range) { return true }
      if token.length <= Self.longestAssetName {
        return hasAssetExtension(after: candidate.range) || hasImageOptions(after: candidate.range)
          || (expectsDigests && token.encoding != .hex)
      }
      return false
    case .query:
      if candidate.range.count == query.count {
        // A cache-buster: nothing but a digest behind a file.
        return token.content == .uniform && isDigestAmongWords(candidate.range, token)
          && hasAssetExtension(before: path.upperBound)
      }
      if role.contains(.digest), token.content == .uniform, isDigestAmongWords(candidate.range, token) { return true }
      let roles = queryRoles
      return isKnownValue(token, role, roles.all, roles.oauth)
        || (token.content == .uniform && token.length <= Self.longestAssetName && token.encoding != .hex
          && roles.all.contains(.expiry) && roles.all.contains(.signature) && hasExpiryAndSignature)
    }
  }
}

extension RequestShape {
  /// Takes an encoded token of unknown structure, which stands in `range`; the longest of a place is kept.
  fileprivate mutating func note(_ token: TokenShape, _ place: TokenPlace, _ bytes: RawSpan, _ range: Range<Int>) {
    guard token.length > (place == .path ? encodedPath : encodedQuery)?.length ?? 0 else { return }
    var token = token
    token.entropy = TokenClassifier.entropy(bytes, range)
    switch place {
    case .path: encodedPath = token
    case .query: encodedQuery = token
    }
  }

  /// Characters from which on a token that decodes to text is looked at, in proportion to the policy's threshold.
  static func shortest(_ threshold: Int) -> Int { max(TokenClassifier.minimumInRequest, threshold * 5 / 16) }
}

extension TokenShape {
  /// Sets what is known of a token that decodes to text.
  fileprivate mutating func carriesText(by encoding: EncodingClass) {
    self.encoding = encoding
    content = .structured
  }
}
