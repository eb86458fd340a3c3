/// Tokens that are known by what they decode to.
extension TokenJudge {
  /// JWTs in URLs stay below this, since servers refuse longer heads.
  private static var longestJWT: Int { 4_096 }

  /// JSON Web Tokens and their encrypted kin (RFC 7515, RFC 7516): three or five parts, the first a JSON object that
  /// names an algorithm.
  mutating func isJWT(_ range: Range<Int>) -> Bool {
    // Of its parts each is a token, and all of them have the same answer.
    if lastDotted.range.lowerBound <= range.lowerBound, range.upperBound <= lastDotted.range.upperBound {
      return lastDotted.isJWT
    }
    var start = range.lowerBound
    var ends = TokenEnds(.dotted)
    let limit = max(range.upperBound, min(bytes.byteCount, start + Self.longestJWT + 1))
    let end = ends.next(from: range.upperBound, to: limit, in: bytes)
    while start > 0, isTokenOrDot(bytes.byte(at: start - 1)), end - start <= Self.longestJWT { start -= 1 }
    let isJWT = isJWT(from: start, to: end)
    // A part with other characters in it is none of the whole.
    if end - start > range.count {
      var own = TokenEnds(.dotted)
      if own.next(from: range.lowerBound, to: range.upperBound, in: bytes) == range.upperBound {
        lastDotted = (start..<end, isJWT)
      }
    }
    return isJWT
  }

  private func isJWT(from start: Int, to end: Int) -> Bool {
    guard end - start <= Self.longestJWT, end - start > 20, bytes.byte(at: start) == UInt8(ascii: "e"),
      bytes.byte(at: start + 1) == UInt8(ascii: "y"),
      let first = bytes.firstIndex(of: UInt8(ascii: "."), from: start, to: end)
    else { return false }
    var dots = 1
    var last = first
    while dots <= 5, let next = bytes.firstIndex(of: UInt8(ascii: "."), from: last + 1, to: end) {
      dots += 1
      last = next
    }
    return (dots == 2 || dots == 4) && hasAlgorithm(start..<first)
  }

  private func isTokenOrDot(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".")
      || CharacterClass.table[Int(byte)] & (CharacterClass.letter | CharacterClass.digit | CharacterClass.url) != 0
  }

  /// True when the decoded bytes contain `"alg"`.
  private func hasAlgorithm(_ range: Range<Int>) -> Bool {
    var window: UInt64 = 0
    var octets = OctetAssembler()
    for index in range.prefix(1_024) {
      guard let value = Alphabet.value(Alphabet.base64, bytes.byte(at: index)) else { return false }
      guard let octet = octets.take(value, width: 6) else { continue }
      window = (window << 8 | UInt64(octet)) & 0xff_ffff_ffff
      if window == 0x22_616c_6722 { return true }
    }
    return false
  }

  /// An OCSP request in a URL (RFC 6960 appendix A.1): six nested DER sequences, the outermost of which fills the
  /// token, and the object identifier of SHA-1 or SHA-256.
  func isStatusRequest(_ range: Range<Int>, _ token: TokenShape) -> Bool {
    guard token.encoding == .base64 || token.encoding == .base64url, range.count >= 64, range.count <= 180,
      bytes.byte(at: range.lowerBound) == UInt8(ascii: "M")
    else { return false }
    var octets = OctetAssembler()
    var first = InlineArray<16, UInt8>(repeating: 0)
    var count = 0
    for index in range {
      guard let value = Alphabet.value(Alphabet.base64, bytes.byte(at: index)) else { break }
      guard let octet = octets.take(value, width: 6) else { continue }
      if count < first.count { first[count] = octet }
      count += 1
    }
    guard count >= 32, first[0] == 0x30, first[1] < 0x80, Int(first[1]) + 2 == count else { return false }
    for level in 1..<6 where first[2 * level] != 0x30 || first[2 * level + 1] >= first[2 * level - 1] {
      return false
    }
    return first[12] == 0x06 && (first[13] == 5 && first[14] == 0x2b || first[13] == 9 && first[14] == 0x60)
  }

  /// A content identifier of IPFS, version 1, in base 32: the multibase and the version give it its first letters.
  func isContentIdentifier(_ range: Range<Int>) -> Bool {
    range.count <= 113 && bytes.byte(at: range.lowerBound) == UInt8(ascii: "b")
      && bytes.byte(at: range.lowerBound + 1) == UInt8(ascii: "a") && bytes.byte(at: range.lowerBound + 2) >= 0x61
      && bytes.byte(at: range.lowerBound + 2) <= 0x67
  }
}
