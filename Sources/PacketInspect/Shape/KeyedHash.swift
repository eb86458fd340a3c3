/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that nobody without the key can compute or check.
public struct KeyedHash: Sendable {
  private let key: (UInt64, UInt64)

  /// A hash with a key of 128 bits, which must stay secret.
  public init(key: (UInt64, UInt64)) { self.key = key }

  /// The hash of a range of bytes.
  public func hash(_ bytes: RawSpan, _ range: Range<Int>) -> UInt64 {
    var v0 = key.0 ^ 0x736f_6d65_7073_6575
    var v1 = key.1 ^ 0x646f_7261_6e64_6f6d
    var v2 = key.0 ^ 0x6c79_6765_6e65_7261
    var v3 = key.1 ^ 0x7465_6462_7974_6573
    func round() {
      v0 = v0 &+ v1
      v1 = v1 << 13 | v1 >> 51
      v1 ^= v0
      v0 = v0 << 32 | v0 >> 32
      v2 = v2 &+ v3
      v3 = v3 << 16 | v3 >> 48
      v3 ^= v2
      v0 = v0 &+ v3
      v3 = v3 << 21 | v3 >> 43
      v3 ^= v0
      v2 = v2 &+ v1
      v1 = v1 << 17 | v1 >> 47
      v1 ^= v2
      v2 = v2 << 32 | v2 >> 32
    }
    var word: UInt64 = 0
    var place: UInt64 = 0
    for index in range {
      word |= UInt64(bytes.byte(at: index)) << (8 * place)
      place += 1
      guard place == 8 else { continue }
      v3 ^= word
      round()
      round()
      v0 ^= word
      word = 0
      place = 0
    }
    word |= UInt64(truncatingIfNeeded: range.count) << 56
    v3 ^= word
    round()
    round()
    v0 ^= word
    v2 ^= 0xff
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }
}
