/// What a byte can be part of: one table look-up a byte.
enum CharacterClass {
  static let digit: UInt8 = 1
  static let hexLetter: UInt8 = 2
  static let letter: UInt8 = 4
  static let upper: UInt8 = 8
  /// `+`, `/`
  static let standard: UInt8 = 16
  /// `-`, `_`; and `~`, which some signed URLs have instead of `/`.
  static let url: UInt8 = 32
  static let pad: UInt8 = 64
  /// `%`, and bytes that have to be percent-encoded and are not.
  static let percent: UInt8 = 128

  /// By byte; zero is what no token contains.
  static let table: [UInt8] = (0..<256).map { byte in
    switch UInt8(byte) {
    case 0x30...0x39: digit
    case 0x61...0x66: letter | hexLetter
    case 0x67...0x7a: letter
    case 0x41...0x46: letter | hexLetter | upper
    case 0x47...0x5a: letter | upper
    case UInt8(ascii: "+"), UInt8(ascii: "/"): standard
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"): url
    case UInt8(ascii: "="): pad
    case UInt8(ascii: "%"), 0x80...: percent
    default: 0
    }
  }

  /// By first letter, the letters that often follow it: the 230 most frequent pairs cover 96 of 100 in English prose,
  /// names of options and identifiers, and 34 of 100 in random letters.
  static let pairs: [UInt32] = [
    0x13eb94e, 0x1124911, 0x01a4d95, 0x0044111, 0x1aeb87d, 0x01a4933, 0x0162195, 0x0084111, 0x22ef87f, 0x0000010,
    0x0000010, 0x11cc919, 0x014d113, 0x13c697d, 0x07efe6e, 0x01ec991, 0x0100000, 0x13e7d5d, 0x11cc195, 0x15ec991,
    0x00eb91f, 0x0000111, 0x0004191, 0x0088000, 0x004c000, 0x0000000,
  ]

  /// The value of a hexadecimal digit; nil for another byte.
  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    let value = Alphabet.hex[Int(byte)]
    return value == Alphabet.none ? nil : value
  }
}
