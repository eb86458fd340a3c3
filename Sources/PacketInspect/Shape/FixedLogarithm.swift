/// Binary logarithms of small numbers, without floating point libraries.
enum FixedLogarithm {
  /// 1024 times the binary logarithm of 0...256; 0 for 0.
  private static let table: [Int] = (0...256).map { value in
    guard value > 1 else { return 0 }
    let power = Int.bitWidth - 1 - value.leadingZeroBitCount
    var mantissa = UInt64(value) << UInt64(30 - power)
    var result = power << 10
    // Bit by bit: squaring a number doubles its logarithm.
    for bit in stride(from: 9, through: 0, by: -1) {
      mantissa = mantissa * mantissa >> 30
      if mantissa >= 1 << 31 {
        mantissa >>= 1
        result += 1 << bit
      }
    }
    return result
  }

  /// 1024 times the binary logarithm; numbers beyond 256 count as 256.
  static func binary(_ value: Int) -> Int { table[min(max(value, 0), 256)] }

  /// By n, how much more (n + 1) log (n + 1) is than n log n, for n below 256.
  static let steps: [Int] = (0..<256).map { ($0 + 1) * table[$0 + 1] - $0 * table[$0] }
}
