/// Whether labels of a name, one or several in a row, decode to text in base 16 or 32. Names have no case, so base 64
/// in them cannot be decoded.
struct LabelText {
  /// True once some were text.
  private(set) var isFound = false
  private var hex = CarriedText()
  private var base32 = CarriedText()

  /// Characters of the shortest label that is looked at: in between there are words (`be.ad`, `face`).
  private static var shortestLabel: Int { 8 }

  /// Takes the next label; true when it is hexadecimal.
  mutating func take(_ bytes: RawSpan, _ label: Range<Int>) -> Bool {
    let isHexadecimal = Self.isHexadecimal(bytes, label)
    if isHexadecimal, label.count % 2 == 0 {
      for index in stride(from: label.lowerBound, to: label.upperBound, by: 2) {
        _ = hex.takeHex(bytes.byte(at: index), bytes.byte(at: index + 1))
      }
      if !hex.isNumber, hex.isText(CarriedText.boundInName) { isFound = true }
      if !hex.isPrintable { hex = CarriedText() }
    } else {
      hex = CarriedText()
    }
    if Self.isBase32(bytes, label) {
      for index in label {
        if let value = Alphabet.value(Alphabet.base32, bytes.byte(at: index)) { base32.take(value, width: 5) }
      }
      if base32.isText(CarriedText.boundInName) { isFound = true }
      if !base32.isPrintable { base32 = CarriedText() }
    } else {
      base32 = CarriedText()
    }
    return isHexadecimal
  }

  /// The encoding of a label that may be a part of what was found.
  static func mayHold(_ bytes: RawSpan, _ label: Range<Int>) -> EncodingClass? {
    isHexadecimal(bytes, label) ? .hex : isBase32(bytes, label) ? .base32 : nil
  }

  private static func isHexadecimal(_ bytes: RawSpan, _ label: Range<Int>) -> Bool {
    guard label.count >= shortestLabel || (label.count >= 6 && label.count % 2 == 0) else { return false }
    return label.allSatisfy { CharacterClass.hexValue(bytes.byte(at: $0)) != nil }
  }

  private static func isBase32(_ bytes: RawSpan, _ label: Range<Int>) -> Bool {
    guard label.count >= shortestLabel else { return false }
    return label.allSatisfy { Alphabet.base32[Int(bytes.byte(at: $0))] != Alphabet.none }
  }
}
