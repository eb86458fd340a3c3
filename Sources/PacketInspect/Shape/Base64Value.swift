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

/// Puts the bits of encoded characters together to bytes.
struct OctetAssembler {
  private var held: UInt32 = 0
  private var bits: UInt32 = 0

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
