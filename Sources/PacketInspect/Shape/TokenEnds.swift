/// What a token consists of: letters, digits and some signs.
struct TokenAlphabet {
  private let signs: (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes)
  /// Bytes beyond this one belong to it as well.
  private let high: Lanes

  private init(_ signs: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8), above last: UInt8) {
    self.signs = (.all(signs.0), .all(signs.1), .all(signs.2), .all(signs.3), .all(signs.4), .all(signs.5))
    high = .all(last)
  }

  /// In a path, where a slash ends a token: with what is percent-encoded, or has to be and is not.
  static var inPath: TokenAlphabet { .init((0x2b, 0x2d, 0x5f, 0x7e, 0x25, 0x25), above: 0x7f) }
  /// In a query: `/` as well.
  static var inQuery: TokenAlphabet { .init((0x2b, 0x2d, 0x5f, 0x7e, 0x25, 0x2f), above: 0x7f) }
  /// In what was percent-encoded.
  static var decoded: TokenAlphabet { .init((0x2b, 0x2d, 0x5f, 0x7e, 0x2f, 0x2f), above: 0xff) }
  /// Base 64 of RFC 4648 section 5, its parts joined by dots.
  static var dotted: TokenAlphabet { .init((0x2e, 0x2d, 0x5f, 0x7e, 0x2e, 0x2e), above: 0xff) }

  /// A bit for each of sixteen bytes that no token contains, the first the lowest.
  @inline(__always)
  private func outside(_ lanes: Lanes) -> UInt64 {
    var inside = lanes.isLetter.ones | lanes.isDigit.ones
    inside |= (lanes .== signs.0).ones | (lanes .== signs.1).ones | (lanes .== signs.2).ones
    inside |= (lanes .== signs.3).ones | (lanes .== signs.4).ones | (lanes .== signs.5).ones
    inside |= (lanes .> high).ones
    return inside.gathered ^ 0xffff
  }

  /// A bit for each of the sixteen bytes from `offset` on that no token contains; of those from `end` on any.
  @inline(__always)
  fileprivate func ends(at offset: Int, before end: Int, in bytes: RawSpan) -> UInt64 {
    guard offset < end else { return 0 }
    if offset <= bytes.byteCount &- 16 { return outside(bytes.lanes(at: offset)) }
    return endsOfLast(at: offset, in: bytes)
  }

  /// The same where fewer than sixteen are left.
  private func endsOfLast(at offset: Int, in bytes: RawSpan) -> UInt64 {
    let missing = offset &+ 16 &- bytes.byteCount
    if bytes.byteCount >= 16 { return outside(bytes.lanes(at: bytes.byteCount - 16)) >> UInt64(missing) }
    var lanes = Lanes()
    for place in 0..<16 - missing { lanes[place] = bytes.byte(at: offset + place) }
    return outside(lanes)
  }
}

/// Finds where tokens end, 64 bytes at a time. What it is asked for never goes backwards.
struct TokenEnds {
  private let alphabet: TokenAlphabet
  /// The 64 bytes in hand: where they begin, and a bit for each that no token contains.
  private var base = -64
  private var ends: UInt64 = 0

  init(_ alphabet: TokenAlphabet) { self.alphabet = alphabet }

  /// The first place from `start` on, and before `end`, that no token contains; else `end`.
  @inline(__always)
  mutating func next(from start: Int, to end: Int, in bytes: RawSpan) -> Int {
    var index = start
    while index < end {
      if index >= base &+ 64 { look(at: index, before: end, bytes) }
      let rest = ends >> UInt64(truncatingIfNeeded: index &- base)
      if rest != 0 { return min(end, index &+ rest.trailingZeroBitCount) }
      index = base &+ 64
    }
    return end
  }

  private mutating func look(at index: Int, before end: Int, _ bytes: RawSpan) {
    base = index
    ends = alphabet.ends(at: index, before: end, in: bytes)
    ends |= alphabet.ends(at: index &+ 16, before: end, in: bytes) << 16
    ends |= alphabet.ends(at: index &+ 32, before: end, in: bytes) << 32
    ends |= alphabet.ends(at: index &+ 48, before: end, in: bytes) << 48
  }
}
