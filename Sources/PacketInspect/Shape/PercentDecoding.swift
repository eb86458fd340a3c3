/// What percent-encoding (RFC 3986 section 2.1) was used for in one token.
struct PercentDecoding {
  private var escapes = 0
  /// Escapes of letters, digits and `-._~`, which need none (RFC 3986 section 2.3).
  private var unneeded = 0
  /// Decoded bytes beyond ASCII, and those that are no part of UTF-8.
  private var high = 0
  private var broken = 0
  private var control = 0
  private var length = 0
  /// Escapes of such characters whose percent sign is escaped in turn, once or more: each layer counts double.
  private var layered = 0

  /// Most of the token is escapes that nobody needs: somebody hides words.
  var isUnneeded: Bool { (unneeded + layered) * 3 * 2 > length && unneeded + layered >= 8 }
  /// The same for a token of any length. In old character sets letters are the second bytes of others, and escaped.
  var isUnneededEverywhere: Bool { isUnneeded && unneeded + layered > high }
  /// The escapes stand for bytes that are no text in any script.
  var isNoText: Bool { escapes >= 16 && (broken + control) * 5 > escapes }

  /// Bytes that it decodes to, at the start of what they were written to.
  private(set) var decodedCount = 0

  /// Decodes `range` of `bytes` to the start of `decoded`, once: what is encoded twice stays encoded.
  static func decode(_ bytes: RawSpan, _ range: Range<Int>, into decoded: inout [UInt8]) -> PercentDecoding {
    // Room for all at once, and what was there before stays: to ask for it byte by byte costs more than the rest.
    if decoded.count < range.count { decoded = [UInt8](repeating: 0, count: range.count) }
    var count = 0
    var output = decoded.mutableSpan
    var result = PercentDecoding()
    result.length = range.count
    let hex = Alphabet.hex
    let classes = CharacterClass.table
    var pending = 0
    var index = range.lowerBound
    while index < range.upperBound {
      // Most need no second look.
      while pending == 0, index + 16 <= range.upperBound {
        let lanes = bytes.lanes(at: index)
        output.store(lanes, at: count)
        let percents = lanes.percents
        let plain = percents.isAny ? percents.gathered.trailingZeroBitCount : 16
        index += plain
        count += plain
        if plain < 16 { break }
      }
      guard index < range.upperBound else { break }
      var byte = bytes.byte(at: index)
      if byte != UInt8(ascii: "%"), byte < 0x80, pending == 0 {
        output[count] = byte
        count += 1
        index += 1
        continue
      }
      if byte == UInt8(ascii: "%"), index + 2 < range.upperBound,
        let upper = Alphabet.value(hex, bytes.byte(at: index + 1)),
        let lower = Alphabet.value(hex, bytes.byte(at: index + 2))
      {
        byte = upper << 4 | lower
        index += 2
        result.escapes += 1
        let kind = classes[Int(byte)]
        if kind & (CharacterClass.letter | CharacterClass.digit) != 0 { result.unneeded += 1 }
        if byte == UInt8(ascii: "%") { result.takeLayers(bytes, index + 1, range.upperBound) }
        if byte < 0x20, byte != 0x0a, byte != 0x0d, byte != 0x09 { result.control += 1 }
      }
      if byte >= 0x80 || pending > 0 { result.takeUTF8(byte, &pending) }
      output[count] = byte
      count += 1
      index += 1
    }
    result.broken += pending > 0 ? 1 : 0
    result.decodedCount = count
    return result
  }

  /// What follows an escaped percent sign: more of them, and a letter's or digit's code.
  private mutating func takeLayers(_ bytes: RawSpan, _ start: Int, _ end: Int) {
    var index = start
    var weight = 2
    while index + 3 < end, weight < 8, bytes.byte(at: index) == UInt8(ascii: "2"),
      bytes.byte(at: index + 1) == UInt8(ascii: "5")
    {
      index += 2
      weight *= 2
    }
    guard index + 1 < end, let upper = CharacterClass.hexValue(bytes.byte(at: index)),
      let lower = CharacterClass.hexValue(bytes.byte(at: index + 1)),
      CharacterClass.table[Int(upper << 4 | lower)] & (CharacterClass.letter | CharacterClass.digit) != 0
    else { return }
    layered += weight
  }

  private mutating func takeUTF8(_ byte: UInt8, _ pending: inout Int) {
    if byte < 0x80 {
      if pending > 0 { broken += 1 }
      pending = 0
      return
    }
    high += 1
    if byte < 0xc0 {
      if pending == 0 { broken += 1 } else { pending -= 1 }
      return
    }
    if pending > 0 { broken += 1 }
    switch byte {
    case 0xc2...0xdf: pending = 1
    case 0xe0...0xef: pending = 2
    case 0xf0...0xf4: pending = 3
    default:
      broken += 1
      pending = 0
    }
  }
}
