/// Counts what an encoded token decodes to, byte by byte, without keeping it.
struct DecodedBytes {
  private var count = 0
  private var printable = 0
  private var zeros = 0
  private var first: UInt32 = 0

  /// Decoded bytes that are looked at: enough to tell text from noise.
  private static var limit: Int { 256 }

  init(_ bytes: RawSpan, _ range: Range<Int>, _ encoding: EncodingClass) {
    let width: UInt32
    switch encoding {
    case .hex: width = 4
    case .base32: width = 5
    case .base64, .base64url: width = 6
    case .plain, .percent, .binary: return
    }
    var octets = OctetAssembler()
    for index in range {
      guard let value = Self.value(bytes.byte(at: index), width) else { continue }
      guard let octet = octets.take(value, width: width) else { continue }
      take(octet)
      if count >= Self.limit { return }
    }
  }

  private mutating func take(_ byte: UInt8) {
    if count < 4 { first = first << 8 | UInt32(byte) }
    count += 1
    if (byte >= 0x20 && byte < 0x7f) || byte == 0x0a || byte == 0x0d || byte == 0x09 { printable += 1 }
    if byte == 0 { zeros += 1 }
  }

  private static func value(_ byte: UInt8, _ width: UInt32) -> UInt8? {
    if width == 4 { return CharacterClass.hexValue(byte) }
    switch byte {
    case 0x61...0x7a: return width == 5 ? byte - 0x61 : byte - 0x61 + 26
    case 0x41...0x5a: return byte - 0x41
    case 0x32...0x37 where width == 5: return byte - 0x32 + 26
    case 0x30...0x39 where width == 6: return byte - 0x30 + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): return width == 6 ? 62 : nil
    case UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "~"): return width == 6 ? 63 : nil
    default: return nil
    }
  }

  /// Of random bytes 38 in 100 are printable; of 32 of them more than 24 are so less than once in ten thousand.
  /// Many zeros and the first bytes of common formats are somebody's data as well.
  var content: DecodedContent {
    guard count >= 8 else { return .uniform }
    if printable * 100 >= count * 80 || (count >= 24 && zeros * 8 >= count) || isMagic { return .structured }
    return .uniform
  }

  /// gzip, zip, Zstandard, PNG, PDF, ELF, SQLite, xz, bzip2: by the first four bytes.
  private var isMagic: Bool {
    switch first {
    case 0x504b_0304, 0x28b5_2ffd, 0x8950_4e47, 0x2550_4446, 0x7f45_4c46, 0x5351_4c69, 0xfd37_7a58: true
    case let word: word >> 8 == 0x1f8b08 || word >> 8 == 0x425a68
    }
  }
}
