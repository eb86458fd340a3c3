/// How long to wait before the next attempt: doubling from 0.1 s to 5 s, with jitter, so that many hosts that lose
/// something together do not come back together.
struct BackOff {
  /// The first wait, in milliseconds.
  static let first = 100
  /// The longest, in milliseconds.
  static let longest = 5000

  private var attempts = 0

  /// The next wait, in milliseconds: between half of the full one and all of it.
  mutating func next(using random: inout some RandomNumberGenerator) -> Int {
    let full = min(Self.longest, Self.first << min(attempts, 16))
    attempts += 1
    return Int.random(in: (full + 1) / 2...full, using: &random)
  }

  /// An attempt succeeded.
  mutating func reset() { attempts = 0 }
}
