/// The values of characters in the alphabets that encode bytes, by one look-up: which one a character of noise is
/// nobody can predict, a processor neither.
enum Alphabet {
  /// What a character has that stands in no alphabet.
  static let none: UInt8 = 0xff

  /// RFC 4648 section 8, in either case.
  static let hex = table { byte in
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x61...0x66: byte - 0x57
    case 0x41...0x46: byte - 0x37
    default: nil
    }
  }

  /// RFC 4648 section 6, in either case.
  static let base32 = table { byte in
    switch byte {
    case 0x61...0x7a: byte - 0x61
    case 0x41...0x5a: byte - 0x41
    case 0x32...0x37: byte - 0x32 + 26
    default: nil
    }
  }

  /// RFC 4648 sections 4 and 5.
  static let base64 = table { byte in
    switch byte {
    case 0x41...0x5a: byte - 0x41
    case 0x61...0x7a: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }

  /// The same with `~`, which some signed URLs have instead of `/`.
  static let base64OfURLs = table { $0 == UInt8(ascii: "~") ? 63 : value(base64, $0) }

  private static func table(_ value: (UInt8) -> UInt8?) -> [UInt8] { (0..<256).map { value(UInt8($0)) ?? none } }

  /// A character's value; nil when the alphabet does not have it.
  @inline(__always)
  static func value(_ table: [UInt8], _ byte: UInt8) -> UInt8? {
    let value = table[Int(byte)]
    return value == none ? nil : value
  }
}

/// Puts the bits of encoded characters together to bytes.
struct OctetAssembler {
  private var held: UInt32 = 0
  private var bits: UInt32 = 0

  /// True when all bits that were taken have been given out.
  var isEmpty: Bool { bits == 0 }

  /// Takes a character's `width` bits, eight at most; a byte when one is complete.
  @inline(__always)
  mutating func take(_ value: UInt8, width: UInt32) -> UInt8? {
    held = held << width | UInt32(value)
    bits += width
    guard bits >= 8 else { return nil }
    bits -= 8
    return UInt8(truncatingIfNeeded: held >> bits)
  }
}
