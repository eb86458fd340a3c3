/// Weighs, byte by byte, whether what a token decodes to is text rather than noise.
///
/// The sum is the logarithm of a likelihood ratio: text over random bytes. Of random bytes it reaches a bound b with a
/// probability of at most 1/b (Ville's inequality), so that a short token too may be called text, and how rarely that
/// is wrong does not depend on its length. A byte that is not printable ends it: text has none.
struct CarriedText {
  /// What text is taken to consist of: 85 in 100 letters, digits and spaces (63 of them: 1.79 bits each), 12 in 100 the
  /// signs of paths, addresses and records (12: 1.36 bits), 3 in 100 the other printable ones (-1.38 bits). In eighths.
  private static let weights: [Int8] = (0..<256).map { byte in
    let kind = CharacterClass.table[byte]
    if kind & (CharacterClass.letter | CharacterClass.digit) != 0 || byte == 0x20 { return 14 }
    if Array("_-./:=,\"{}@&".utf8).contains(UInt8(byte)) { return 11 }
    return (byte > 0x20 && byte < 0x7f) || byte == 0x0a || byte == 0x0d || byte == 0x09 ? -11 : 0
  }

  /// 24 bits: random bytes reach it once in 16 million tokens, at most. Fourteen letters do.
  static var boundInRequest: Int { 192 }
  /// 20 bits: names are looked up far less often than tokens are sent, and hold less. Twelve letters do.
  static var boundInName: Int { 160 }

  /// The evidence so far, in eighths of a bit.
  private(set) var evidence = 0
  /// False once a byte was none of any text.
  private(set) var isPrintable = true
  /// Decimal digits and nothing else were seen: a number, whatever it decodes to.
  private(set) var isNumber = true
  private var octets = OctetAssembler()
  /// What structure the text has that is an identifier's: letters, a colon, digits.
  private var identifier = Identifier.letters

  private enum Identifier { case letters, digits, none }

  /// Takes one character's worth of bits.
  @inline(__always)
  mutating func take(_ value: UInt8, width: UInt32) {
    guard let byte = octets.take(value, width: width) else { return }
    let weight = Int(Self.weights[Int(byte)])
    if weight == 0 { isPrintable = false }
    evidence += weight
    switch identifier {
    case .letters where byte == UInt8(ascii: ":"): identifier = .digits
    case .letters where CharacterClass.table[Int(byte)] & CharacterClass.letter != 0 || byte == UInt8(ascii: "_"): break
    case .digits where byte >= 0x30 && byte <= 0x39: break
    default: identifier = .none
    }
  }

  /// Takes two hexadecimal digits; false when they are none.
  @inline(__always)
  mutating func takeHex(_ first: UInt8, _ second: UInt8) -> Bool {
    guard let upper = CharacterClass.hexValue(first), let lower = CharacterClass.hexValue(second) else { return false }
    if first > 0x39 || second > 0x39 { isNumber = false }
    take(upper << 4 | lower, width: 8)
    return true
  }

  /// True when the bytes are text by at least `bound` eighths of a bit.
  func isText(_ bound: Int) -> Bool { isPrintable && evidence >= bound }

  /// The encoding by which `range` is text; nil when it is by none. `Type:4711`, as identifiers of GraphQL have it, is
  /// not counted.
  static func encoding(_ bytes: RawSpan, _ range: Range<Int>) -> EncodingClass? {
    if let hex = hex(bytes, range) { return !hex.isNumber && hex.isText(boundInRequest) ? .hex : nil }
    var lower = false
    var upper = false
    var base32 = CarriedText()
    var base64 = CarriedText()
    var isURL = false
    var isBase32 = true
    for index in range {
      let byte = bytes.byte(at: index)
      if byte == UInt8(ascii: "=") { continue }
      guard let value = Alphabet.value(Alphabet.base64, byte) else { return nil }
      if byte >= 0x61 && byte <= 0x7a { lower = true }
      if byte >= 0x41 && byte <= 0x5a { upper = true }
      if byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") { isURL = true }
      if base64.isPrintable { base64.take(value, width: 6) }
      if let value = Alphabet.value(Alphabet.base32, byte) { base32.take(value, width: 5) } else { isBase32 = false }
      guard base64.isPrintable || (isBase32 && base32.isPrintable) else { return nil }
    }
    // Text has both cases in base 64; words in capitals are no data.
    if lower, upper, base64.isText(boundInRequest) {
      return base64.identifier == .digits ? nil : isURL ? .base64url : .base64
    }
    return isBase32 && !(lower && upper) && base32.isText(boundInRequest) ? .base32 : nil
  }

  /// Hexadecimal digits, also in groups joined by hyphens or underscores; nil for anything else.
  private static func hex(_ bytes: RawSpan, _ range: Range<Int>) -> CarriedText? {
    var result = CarriedText()
    var first: UInt8?
    for index in range {
      let byte = bytes.byte(at: index)
      guard CharacterClass.hexValue(byte) != nil else {
        guard CharacterClass.table[Int(byte)] == CharacterClass.url else { return nil }
        continue
      }
      if let digit = first {
        _ = result.takeHex(digit, byte)
        first = nil
      } else {
        first = byte
      }
    }
    return first == nil ? result : nil
  }

  /// Pairs of hexadecimal digits with the same sign between each two, of which a token is not made (`:`, `.`, `/`), and
  /// which together are text: where they begin and end, nil when there are none.
  static func delimitedHex(_ bytes: RawSpan, _ range: Range<Int>) -> Range<Int>? {
    guard mayHaveDelimitedHex(bytes, range) else { return nil }
    var text = CarriedText()
    var start = range.lowerBound
    var delimiter: UInt8 = 0
    var index = range.lowerBound
    while index + 1 < range.upperBound {
      let isPair = text.takeHex(bytes.byte(at: index), bytes.byte(at: index + 1))
      let sign = index + 2 < range.upperBound ? bytes.byte(at: index + 2) : 0
      let isSign = CharacterClass.table[Int(sign)] & ~(CharacterClass.standard | CharacterClass.url) == 0
      if isPair, text.isPrintable {
        if !text.isNumber, text.isText(boundInRequest) { return start..<index + 2 }
        if isSign, delimiter == 0 || sign == delimiter {
          delimiter = sign
          index += 3
          continue
        }
      }
      // A number or word that is no pair is left behind as a whole.
      while index < range.upperBound,
        CharacterClass.table[Int(bytes.byte(at: index))] & (CharacterClass.letter | CharacterClass.digit) != 0
      {
        index += 1
      }
      index += 1
      text = CarriedText()
      start = index
      delimiter = 0
    }
    return nil
  }

  /// Bytes of the shortest that counts: fourteen letters, the least that is called text, and the signs between them.
  static var shortestDelimited: Int { 41 }

  /// False when nowhere in `range` three signs of that kind follow each other at a distance of three. Looked for only as
  /// often as the shortest run of pairs cannot pass unseen: most targets have nothing of the kind.
  private static func mayHaveDelimitedHex(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
    let table = CharacterClass.table
    var index = range.lowerBound
    while index + 9 <= range.upperBound {
      for place in index..<index + 3 {
        let sign = bytes.byte(at: place)
        if sign == bytes.byte(at: place + 3), sign == bytes.byte(at: place + 6),
          table[Int(sign)] & ~(CharacterClass.standard | CharacterClass.url) == 0
        {
          return true
        }
      }
      index += shortestDelimited - 8
    }
    return false
  }
}
