import PacketInspect

/// SHA-256 (FIPS 180-4) for tests: slow, and checked against the standard's own example.
struct PlainSHA256: SHA256Digest {
  func sha256(_ bytes: [UInt8]) -> [UInt8] {
    let primes = (2..<312).filter { n in !(2..<n).contains { n % $0 == 0 } }
    // The constants are the first 32 bits of the fractional parts of roots of the first primes, by integer roots.
    let constants = primes.prefix(64).map { Self.rootFraction($0, cube: true) }
    var state = primes.prefix(8).map { Self.rootFraction($0, cube: false) }
    var message = bytes + [0x80]
    while message.count % 64 != 56 { message.append(0) }
    let bits = UInt64(bytes.count) * 8
    for shift in stride(from: 56, through: 0, by: -8) {
      message.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    for block in stride(from: 0, to: message.count, by: 64) {
      var words = (0..<16).map { index in
        (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[block + 4 * index + $1]) }
      }
      for index in 16..<64 {
        let a = words[index - 15]
        let b = words[index - 2]
        let low = Self.rotate(a, 7) ^ Self.rotate(a, 18) ^ a >> 3
        let high = Self.rotate(b, 17) ^ Self.rotate(b, 19) ^ b >> 10
        words.append(words[index - 16] &+ low &+ words[index - 7] &+ high)
      }
      var v = state
      for index in 0..<64 {
        let e = v[4]
        let a = v[0]
        let choice = (e & v[5]) ^ (~e & v[6])
        let majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2])
        let sumE = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
        let sumA = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
        let first = v[7] &+ sumE &+ choice &+ constants[index] &+ words[index]
        v = [first &+ sumA &+ majority, a, v[1], v[2], v[3] &+ first, e, v[5], v[6]]
      }
      for index in 0..<8 { state[index] = state[index] &+ v[index] }
    }
    return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value >> count | value << (32 - count) }

  /// The first 32 fractional bits of the square or cube root of `number`: the integer root of it scaled up.
  private static func rootFraction(_ number: Int, cube: Bool) -> UInt32 {
    let target = UInt128(number) << (cube ? 96 : 64)
    var root: UInt128 = 0
    for bit in stride(from: UInt128(36), through: 0, by: -1) {
      let candidate = root | 1 << bit
      if (cube ? candidate * candidate * candidate : candidate * candidate) <= target { root = candidate }
    }
    return UInt32(truncatingIfNeeded: root)
  }
}
