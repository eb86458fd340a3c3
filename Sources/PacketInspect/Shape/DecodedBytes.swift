/// Counts what an encoded token decodes to, byte by byte, without keeping it.
struct DecodedBytes {
  private var count = 0
  /// Printable bytes in the lower half, zeros in the upper.
  private var tally: UInt32 = 0
  private var first: UInt32 = 0

  private var printable: Int { Int(tally & 0xffff) }
  private var zeros: Int { Int(tally >> 16) }

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
    let traits = Self.traits
    var index = range.lowerBound
    while index < range.upperBound {
      // Eight characters that begin with a byte, and hold whole ones alone, at once.
      if width != 5, octets.isEmpty, count >= 4 {
        while index + 8 <= range.upperBound, count + Int(width) <= Self.limit {
          guard let word = Self.decode(bytes.u64(at: index), alphabet, width) else { break }
          for place in 0..<UInt64(width) { tally &+= traits[Int(word >> (8 * place) & 0xff)] }
          count += Int(width)
          index += 8
        }
        guard index < range.upperBound else { return }
      }
      let value = alphabet[Int(bytes.byte(at: index))]
      index += 1
      guard value != Alphabet.none, let octet = octets.take(value, width: width) else { continue }
      take(octet, traits)
      if count >= Self.limit { return }
    }
  }

  /// What eight characters decode to, the first the highest; nil when the alphabet does not have all of them.
  @inline(__always)
  private static func decode(_ characters: UInt64, _ alphabet: [UInt8], _ width: UInt32) -> UInt64? {
    var word: UInt64 = 0
    var all: UInt8 = 0
    for place in 0..<8 {
      let value = alphabet[Int(characters >> UInt64(56 - 8 * place) & 0xff)]
      all |= value
      word = word << UInt64(width) | UInt64(value)
    }
    return all == Alphabet.none ? nil : word
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8, _ traits: [UInt32]) {
    if count < 4 { first = first << 8 | UInt32(byte) }
    count += 1
    tally &+= traits[Int(byte)]
  }

  /// By byte, what it adds to `tally`: printable characters, line ends and tabs; zeros. A look-up, since what noise
  /// decodes to cannot be predicted.
  private static let traits: [UInt32] = (0..<256).map { byte in
    byte == 0 ? 1 << 16 : byte >= 0x20 && byte < 0x7f || byte == 9 || byte == 0x0a || byte == 0x0d ? 1 : 0
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
