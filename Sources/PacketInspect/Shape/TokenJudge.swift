/// Tells long encoded tokens of known structure from those of none.
///
/// What is excused must look like what it claims to be. A digest or signature decodes to bytes without structure;
/// one that decodes to text, or to a file's first bytes, is data whatever its parameter is called.
struct TokenJudge: ~Escapable {
  private let bytes: RawSpan
  private let path: Range<Int>
  private let query: Range<Int>
  private let threshold: Int
  private let expectsDigests: Bool

  /// Characters from which on a token is flagged when what it decodes to is text: 20 where other tokens are from 64 on.
  private var shortest: Int { RequestShape.shortest(threshold) }

  /// Lengths of hexadecimal digests: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
  private static func isDigestLength(_ length: Int) -> Bool {
    length == 32 || length == 40 || length == 56 || length == 64 || length == 96 || length == 128
  }
  /// Digests in one path that are taken for such: a repository's and an object's.
  private static var maximumDigests: Int { 2 }
  /// The longest unstructured token that a font, image or script may have for a name.
  private static var longestAssetName: Int { 192 }
  /// JWTs in URLs stay below this, since servers refuse longer heads.
  private static var longestJWT: Int { 4_096 }

  @_lifetime(copy bytes)
  init(bytes: RawSpan, path: Range<Int>, query: Range<Int>, threshold: Int, expectsDigests: Bool) {
    self.bytes = bytes
    self.path = path
    self.query = query
    self.threshold = threshold
    self.expectsDigests = expectsDigests
  }

  /// Classifies a candidate and adds it to the shape: as known, or as the place's longest encoded token.
  func take(
    _ candidate: TokenCandidate, _ place: TokenPlace, scratch: inout [UInt8], into shape: inout RequestShape
  ) {
    if candidate.hasPercent {
      takePercent(candidate, place, scratch: &scratch, into: &shape)
      return
    }
    var token = TokenClassifier.shape(bytes, candidate.range)
    if token.length == shape.token.length, place == shape.tokenPlace { shape.token = token }
    if token.length < threshold || !token.encoding.isEncoded {
      guard let encoding = CarriedText.encoding(bytes, candidate.range) else { return }
      token.carriesText(by: encoding, bytes, candidate.range)
    }
    guard token.encoding.isEncoded else { return }
    if isKnown(candidate, token, place, shape.knownTokens) {
      shape.knownTokens += 1
    } else {
      shape.note(token, place)
    }
  }

  /// Takes pairs of hexadecimal digits between signs, which are no token: text for certain.
  func takeDelimited(_ range: Range<Int>, _ place: TokenPlace, into shape: inout RequestShape) {
    var token = TokenShape()
    token.length = range.count
    token.carriesText(by: .hex, bytes, range)
    shape.note(token, place)
  }

  /// A token with percent-encoding: what matters is what it decodes to, unless nothing needed the encoding.
  private func takePercent(
    _ candidate: TokenCandidate, _ place: TokenPlace, scratch: inout [UInt8], into shape: inout RequestShape
  ) {
    let escapes = PercentDecoding.decode(bytes, candidate.range, into: &scratch)
    if escapes.isUnneeded || escapes.isNoText {
      var token = TokenShape()
      token.encoding = .percent
      token.length = candidate.range.count
      token.entropy = TokenClassifier.entropy(bytes, candidate.range)
      token.content = escapes.isUnneeded ? .structured : .uniform
      if token.length >= threshold || escapes.isUnneededEverywhere { shape.note(token, place) }
      return
    }
    guard scratch.count >= shortest else { return }
    // What was encoded has tokens of its own: a URL, JSON, base 64 with its padding.
    let roles = place == .query ? NameRole.role(bytes, candidate.previous) : []
    let decoded = scratch.rawSpan
    let table = CharacterClass.table
    var start = 0
    var previous = 0..<0
    var index = 0
    var found = 0
    while index <= decoded.byteCount, found < 8 {
      let kind = index < decoded.byteCount ? table[Int(decoded.byte(at: index))] : 0
      let next = index + 1 < decoded.byteCount ? table[Int(decoded.byte(at: index + 1))] : 0
      let isName = kind == CharacterClass.pad && next != 0 && next != CharacterClass.pad
      guard kind == 0 || kind == CharacterClass.percent || isName else {
        index += 1
        continue
      }
      let range = start..<index
      if range.count >= shortest {
        found += 1
        let inner = TokenJudge(
          bytes: decoded, path: 0..<0, query: 0..<decoded.byteCount, threshold: threshold,
          expectsDigests: expectsDigests)
        inner.takeDecoded(range, previous, roles, outer: self, place, into: &shape)
      }
      if !range.isEmpty { previous = range }
      start = index + 1
      index += 1
    }
  }

  /// A token within what was percent-encoded: whole, else between its slashes.
  private func takeDecoded(
    _ range: Range<Int>, _ previous: Range<Int>, _ outerRoles: NameRole, outer: TokenJudge, _ place: TokenPlace,
    into shape: inout RequestShape
  ) {
    var token = TokenClassifier.shape(bytes, range)
    var found = range
    if !token.encoding.isEncoded {
      var start = range.lowerBound
      while start < range.upperBound {
        let end = bytes.firstIndex(of: UInt8(ascii: "/"), from: start, to: range.upperBound) ?? range.upperBound
        if end - start >= shortest {
          let part = TokenClassifier.shape(bytes, start..<end)
          if part.encoding.isEncoded, !token.encoding.isEncoded || part.length > token.length {
            token = part
            found = start..<end
          }
        }
        start = end + 1
      }
    }
    if token.length < threshold || !token.encoding.isEncoded {
      guard let encoding = CarriedText.encoding(bytes, found) else { return }
      token.carriesText(by: encoding, bytes, found)
    }
    guard token.encoding.isEncoded else { return }
    let (companions, oauth) = outer.query.isEmpty ? ([], 0) : NameRole.roles(ofQuery: outer.query, outer.bytes)
    let (own, ownOAuth) = NameRole.roles(ofQuery: query, bytes)
    let roles = outerRoles.union(NameRole.role(bytes, previous))
    let isPart = found.lowerBound > 0 || found.upperBound < bytes.byteCount
    // A path or file name within what was encoded is judged as one.
    let isInnerDigest =
      isPart && token.encoding == .hex && token.content == .uniform && Self.isDigestLength(token.length)
    if isInnerDigest || isJWT(found) || isStatusRequest(found, token)
      || isKnownValue(token, roles, companions.union(own), max(oauth, ownOAuth))
    {
      shape.knownTokens += 1
    } else {
      shape.note(token, place)
    }
  }

  private func isKnown(
    _ candidate: TokenCandidate, _ token: TokenShape, _ place: TokenPlace, _ known: Int
  ) -> Bool {
    if isJWT(candidate.range) || isMarkedDigest(candidate, token) || isStatusRequest(candidate.range, token) {
      return true
    }
    let role = NameRole.role(bytes, candidate.previous)
    switch place {
    case .path:
      guard token.content == .uniform else { return false }
      if isDigestAmongWords(candidate.range, token) { return known < Self.maximumDigests || expectsDigests }
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
      let (companions, oauth) = NameRole.roles(ofQuery: query, bytes)
      if role.contains(.digest), token.content == .uniform, isDigestAmongWords(candidate.range, token) { return true }
      return isKnownValue(token, role, companions, oauth)
        || (token.content == .uniform && token.length <= Self.longestAssetName && token.encoding != .hex
          && companions.contains(.expiry) && companions.contains(.signature) && hasExpiryAndSignature)
    }
  }

  /// A numeric expiry and a signature of its own beside the token: media that is streamed to whoever has the URL.
  private var hasExpiryAndSignature: Bool {
    var expiry = false
    var signature = false
    var start = query.lowerBound
    var parameters = 0
    while start < query.upperBound, parameters < 256 {
      let end = bytes.firstIndex(of: UInt8(ascii: "&"), from: start, to: query.upperBound) ?? query.upperBound
      if let equals = bytes.firstIndex(of: UInt8(ascii: "="), from: start, to: end) {
        let role = NameRole.role(bytes, start..<equals)
        let value = equals + 1..<end
        // Seconds or milliseconds since 1970.
        if role.contains(.expiry), value.count >= 10, value.count <= 13,
          value.allSatisfy({ CharacterClass.table[Int(bytes.byte(at: $0))] == CharacterClass.digit })
        {
          expiry = true
        }
        if role.contains(.signature), value.count >= 20, value.count <= 128,
          value.allSatisfy({ CharacterClass.table[Int(bytes.byte(at: $0))] & ~CharacterClass.percent != 0 })
        {
          signature = true
        }
      }
      start = end + 1
      parameters += 1
    }
    return expiry && signature
  }

  /// An OCSP request in a URL (RFC 6960 appendix A.1): six nested DER sequences, the outermost of which fills the
  /// token, and the object identifier of SHA-1 or SHA-256.
  private func isStatusRequest(_ range: Range<Int>, _ token: TokenShape) -> Bool {
    guard token.encoding == .base64 || token.encoding == .base64url, range.count >= 64, range.count <= 180,
      bytes.byte(at: range.lowerBound) == UInt8(ascii: "M")
    else { return false }
    var decoded: [UInt8] = []
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for index in range {
      guard let value = Base64Value.of(bytes.byte(at: index)) else { break }
      held = held << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        decoded.append(UInt8(truncatingIfNeeded: held >> bits))
      }
    }
    guard decoded.count >= 32, decoded[0] == 0x30, decoded[1] < 0x80, Int(decoded[1]) + 2 == decoded.count else {
      return false
    }
    for level in 1..<6 where decoded[2 * level] != 0x30 || decoded[2 * level + 1] >= decoded[2 * level - 1] {
      return false
    }
    return decoded[12] == 0x06 && (decoded[13] == 5 && decoded[14] == 0x2b || decoded[13] == 9 && decoded[14] == 0x60)
  }

  /// A value whose name and neighbours say what it is, and which looks like that.
  private func isKnownValue(_ token: TokenShape, _ role: NameRole, _ companions: NameRole, _ oauth: Int) -> Bool {
    guard !role.isEmpty else { return false }
    let isUniform = token.content == .uniform
    let isSigned = companions.contains(.credential) && companions.contains(.expiry)
    if isUniform, role.contains(.signature), token.encoding == .hex, Self.isDigestLength(token.length),
      isSigned || companions.contains(.expiry)
    {
      return true
    }
    if isUniform, isSigned, role.contains(.signature) || role.contains(.credential) { return token.length <= 2_048 }
    if isSigned, role.contains(.policy) { return token.length <= 2_048 }
    if role.contains(.oauthValue), oauth >= 2 { return token.length <= 2_048 }
    if role.contains(.saml) { return token.length <= 8_192 && (token.encoding == .base64 || isUniform) }
    if role.contains(.cursor) { return token.length <= (isUniform ? 1_024 : 256) && token.encoding != .hex }
    if role.contains(.click) { return isUniform && token.length <= 512 && token.encoding != .hex }
    if role.contains(.secret) || role.contains(.signature) { return isUniform && token.length <= 512 }
    return role.contains(.digest) && isUniform && token.encoding == .hex && Self.isDigestLength(token.length)
  }

  /// A digest whose algorithm stands before it: `sha256:…`, `/SHA256/…`, `sha512-…`.
  private func isMarkedDigest(_ candidate: TokenCandidate, _ token: TokenShape) -> Bool {
    guard token.content == .uniform else { return false }
    if isAlgorithm(candidate.previous) {
      return token.encoding == .hex ? Self.isDigestLength(token.length) : token.length <= 88
    }
    guard
      let hyphen = bytes.firstIndex(
        of: UInt8(ascii: "-"), from: candidate.range.lowerBound,
        to: min(candidate.range.upperBound, candidate.range.lowerBound + 8)),
      isAlgorithm(candidate.range.lowerBound..<hyphen)
    else { return false }
    return candidate.range.upperBound - hyphen - 1 <= (token.encoding == .hex ? 128 : 88)
  }

  private func isAlgorithm(_ range: Range<Int>) -> Bool {
    guard range.count >= 3, range.count <= 8 else { return false }
    return NameRole.algorithms.contains { $0.count == range.count && bytes.matches($0, at: range.lowerBound) }
  }

  /// A hexadecimal digest by itself, or between words joined by hyphens: `main-<digest>`.
  private func isDigestAmongWords(_ range: Range<Int>, _ token: TokenShape) -> Bool {
    if token.encoding == .hex, Self.isDigestLength(token.length) { return true }
    var start = range.lowerBound
    var digests = 0
    while start <= range.upperBound {
      var end = start
      while end < range.upperBound, CharacterClass.table[Int(bytes.byte(at: end))] != CharacterClass.url { end += 1 }
      let part = start..<end
      if part.count >= 32 {
        guard Self.isDigestLength(part.count), digests < 2,
          TokenClassifier.encoding(bytes, part, minimum: TokenClassifier.minimumInRequest) == .hex,
          DecodedBytes(bytes, part, .hex).content == .uniform
        else { return false }
        digests += 1
      } else if part.count > 24
        || TokenClassifier.encoding(bytes, part, minimum: TokenClassifier.minimumInRequest).isEncoded
      {
        return false
      }
      start = end + 1
    }
    return digests > 0
  }

  /// A content identifier of IPFS, version 1, in base 32: the multibase and the version give it its first letters.
  private func isContentIdentifier(_ range: Range<Int>) -> Bool {
    range.count <= 113 && bytes.byte(at: range.lowerBound) == UInt8(ascii: "b")
      && bytes.byte(at: range.lowerBound + 1) == UInt8(ascii: "a") && bytes.byte(at: range.lowerBound + 2) >= 0x61
      && bytes.byte(at: range.lowerBound + 2) <= 0x67
  }

  /// JSON Web Tokens and their encrypted kin (RFC 7515, RFC 7516): three or five parts, the first a JSON object that
  /// names an algorithm.
  private func isJWT(_ range: Range<Int>) -> Bool {
    var start = range.lowerBound
    var end = range.upperBound
    while start > 0, isTokenOrDot(bytes.byte(at: start - 1)), end - start <= Self.longestJWT { start -= 1 }
    while end < bytes.byteCount, isTokenOrDot(bytes.byte(at: end)), end - start <= Self.longestJWT { end += 1 }
    guard end - start <= Self.longestJWT, end - start > 20, bytes.byte(at: start) == UInt8(ascii: "e"),
      bytes.byte(at: start + 1) == UInt8(ascii: "y"),
      let dot = bytes.firstIndex(of: UInt8(ascii: "."), from: start, to: end)
    else { return false }
    var dots = 0
    for index in start..<end where bytes.byte(at: index) == UInt8(ascii: ".") { dots += 1 }
    return (dots == 2 || dots == 4) && hasAlgorithm(start..<dot)
  }

  private func isTokenOrDot(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".")
      || CharacterClass.table[Int(byte)] & (CharacterClass.letter | CharacterClass.digit | CharacterClass.url) != 0
  }

  /// True when the decoded bytes contain `"alg"`.
  private func hasAlgorithm(_ range: Range<Int>) -> Bool {
    var window: UInt64 = 0
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for index in range.prefix(1_024) {
      guard let value = Base64Value.of(bytes.byte(at: index)) else { return false }
      held = held << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        window = (window << 8 | UInt64(UInt8(truncatingIfNeeded: held >> bits))) & 0xff_ffff_ffff
        if window == 0x22_616c_6722 { return true }
      }
    }
    return false
  }

  /// The token names a file of a kind that is served under digests.
  private func hasAssetExtension(after range: Range<Int>) -> Bool {
    range.upperBound < path.upperBound && bytes.byte(at: range.upperBound) == UInt8(ascii: ".")
      && hasAssetExtension(before: path.upperBound)
  }

  private func hasAssetExtension(before end: Int) -> Bool {
    var start = end
    while start > path.lowerBound, end - start <= 6, bytes.byte(at: start - 1) != UInt8(ascii: ".") { start -= 1 }
    guard start > path.lowerBound, end - start >= 2, bytes.byte(at: start - 1) == UInt8(ascii: ".") else {
      return false
    }
    return NameRole.assetExtensions.contains { $0.count == end - start && bytes.matches($0, at: start) }
  }

  /// Options of an image service behind the token: `=s96-c`, `=w1200-h630`.
  private func hasImageOptions(after range: Range<Int>) -> Bool {
    var index = range.upperBound
    guard index + 2 < path.upperBound, bytes.byte(at: index) == UInt8(ascii: "=") else { return false }
    let letter = bytes.byte(at: index + 1)
    guard letter == UInt8(ascii: "s") || letter == UInt8(ascii: "w") || letter == UInt8(ascii: "h") else {
      return false
    }
    index += 2
    guard bytes.byte(at: index) >= 0x30, bytes.byte(at: index) <= 0x39 else { return false }
    return path.upperBound - index <= 48
  }
}

extension NameRole {
  static let algorithms = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake3", "blake2b"].map {
    Array($0.utf8)
  }
  /// Kinds of files that are served under digests.
  static let assetExtensions = [
    "js", "mjs", "css", "map", "woff", "woff2", "ttf", "otf", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico",
    "mp4", "webm", "m3u8", "m4s", "mp3", "whl", "gz", "xz", "bz2", "zst", "tgz", "zip", "deb", "rpm", "jar", "wasm",
    "json", "html", "pdf", "crate", "nar", "ts",
  ].map { Array($0.utf8) }
}

/// The alphabets of RFC 4648 sections 4 and 5.
enum Base64Value {
  static func of(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x41...0x5a: byte - 0x41
    case 0x61...0x7a: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}

extension RequestShape {
  /// Takes an encoded token of unknown structure; the longest of a place is kept.
  mutating func note(_ token: TokenShape, _ place: TokenPlace) {
    switch place {
    case .path: if token.length > encodedPath?.length ?? 0 { encodedPath = token }
    case .query: if token.length > encodedQuery?.length ?? 0 { encodedQuery = token }
    }
  }

  /// Characters from which on a token that decodes to text is looked at, in proportion to the policy's threshold.
  static func shortest(_ threshold: Int) -> Int { max(TokenClassifier.minimumInRequest, threshold * 5 / 16) }
}

extension TokenShape {
  /// Sets what is known of a token that decodes to text.
  fileprivate mutating func carriesText(by encoding: EncodingClass, _ bytes: RawSpan, _ range: Range<Int>) {
    self.encoding = encoding
    content = .structured
    entropy = TokenClassifier.entropy(bytes, range)
  }
}
