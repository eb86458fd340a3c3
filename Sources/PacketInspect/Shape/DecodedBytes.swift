/// Counts what an encoded token decodes to, byte by byte, without keeping it.
struct DecodedBytes {
  private var count = 0
  private var printable = 0
  private var zeros = 0
  private var first: UInt32 = 0

  /// Decoded bytes that are looked at: enough to tell text from noise.
  private static var limit: Int { 256 }

  init(_ bytes: RawSpan, _ range: Range<Int>, _ encoding: EncodingClass) {
    switch encoding {
    case .hex: take(bytes, range, Alphabet.hex, width: 4)
    case .base32: take(bytes, range, Alphabet.base32, width: 5)
    case .base64, .base64url: take(bytes, range, Alphabet.base64OfURLs, width: 6)
    case .plain, .percent, .binary: break
    }
  }

  @inline(__always)
  private mutating func take(_ bytes: RawSpan, _ range: Range<Int>, _ alphabet: [UInt8], width: UInt32) {
    var octets = OctetAssembler()
    for index in range {
      guard let value = Alphabet.value(alphabet, bytes.byte(at: index)) else { continue }
      guard let octet = octets.take(value, width: width) else { continue }
      take(octet)
      if count >= Self.limit { return }
    }
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8) {
    if count < 4 { first = first << 8 | UInt32(byte) }
    count += 1
    // Counted without a branch: what noise decodes to cannot be predicted.
    let isText = Int(truncatingIfNeeded: Self.text[Int(byte >> 6)] >> UInt64(byte & 63) & 1)
    printable += isText
    zeros += byte == 0 ? 1 : 0
  }

  /// Printable characters, line ends and tabs, as bits.
  private static var text: InlineArray<4, UInt64> { [0xffff_ffff_0000_2600, 0x7fff_ffff_ffff_ffff, 0, 0] }

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
