/// Digests, and what files and images are named by.
extension TokenJudge {
  /// Lengths of hexadecimal digests: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
  static func isDigestLength(_ length: Int) -> Bool {
    length == 32 || length == 40 || length == 56 || length == 64 || length == 96 || length == 128
  }

  /// A digest whose algorithm stands before it: `sha256:…`, `/SHA256/…`, `sha512-…`.
  func isMarkedDigest(_ candidate: TokenCandidate, _ token: TokenShape) -> Bool {
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
    return KnownWords.algorithms.contains { $0.count == range.count && bytes.matches($0, at: range.lowerBound) }
  }

  /// A hexadecimal digest by itself, or between words joined by hyphens: `main-<digest>`.
  func isDigestAmongWords(_ range: Range<Int>, _ token: TokenShape) -> Bool {
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

  /// The token names a file of a kind that is served under digests.
  func hasAssetExtension(after range: Range<Int>) -> Bool {
    range.upperBound < path.upperBound && bytes.byte(at: range.upperBound) == UInt8(ascii: ".")
      && hasAssetExtension(before: path.upperBound)
  }

  func hasAssetExtension(before end: Int) -> Bool {
    var start = end
    while start > path.lowerBound, end - start <= 6, bytes.byte(at: start - 1) != UInt8(ascii: ".") { start -= 1 }
    guard start > path.lowerBound, end - start >= 2, bytes.byte(at: start - 1) == UInt8(ascii: ".") else {
      return false
    }
    return KnownWords.assetExtensions.contains { $0.count == end - start && bytes.matches($0, at: start) }
  }

  /// Options of an image service behind the token: `=s96-c`, `=w1200-h630`.
  func hasImageOptions(after range: Range<Int>) -> Bool {
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
