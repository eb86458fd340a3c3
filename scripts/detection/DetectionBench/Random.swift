import Glibc
import TestSupport

/// A small seeded generator and the distributions that sessions are made of.
struct Random: RandomNumberGenerator {
  private var bits: SplitMix64

  init(seed: UInt64) { bits = SplitMix64(seed: seed &* 0x2545_f491_4f6c_dd1d &+ 0x9e37_79b9_7f4a_7c15) }

  mutating func next() -> UInt64 { bits.next() }

  /// Between 0 and 1, neither of them.
  mutating func unit() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }
  mutating func chance(_ share: Double) -> Bool { unit() < share }
  mutating func normal() -> Double { sqrt(-2 * log(unit())) * cos(2 * .pi * unit()) }
  mutating func exponential(mean: Double) -> Double { -mean * log(unit()) }
  /// Long-tailed: `median` times e to a normal variable of this width.
  mutating func logNormal(median: Double, width: Double) -> Double { median * exp(width * normal()) }
  /// 1, 2, 3 ... with this mean.
  mutating func count(mean: Double) -> Int {
    mean <= 1 ? 1 : 1 + Int(log(unit()) / log(1 - 1 / mean))
  }

  /// Marsaglia and Tsang 2000.
  mutating func gamma(_ shape: Double) -> Double {
    guard shape >= 1 else { return gamma(shape + 1) * pow(unit(), 1 / shape) }
    let d = shape - 1 / 3
    let c = 1 / sqrt(9 * d)
    while true {
      let x = normal()
      let v = pow(1 + c * x, 3)
      if v > 0, log(unit()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }

  /// Shares scattered around `shares`, as if estimated from `concentration` draws.
  mutating func dirichlet(_ shares: [Double], _ concentration: Double) -> [Double] {
    var values = shares.map { $0 > 0 ? gamma($0 * concentration) : 0 }
    let sum = values.reduce(0, +)
    for place in values.indices { values[place] /= sum }
    return values
  }

  /// An index, each with its share.
  mutating func pick(_ shares: [Double]) -> Int {
    var left = unit() * shares.reduce(0, +)
    for place in shares.indices {
      left -= shares[place]
      if left < 0 { return place }
    }
    return shares.lastIndex { $0 > 0 } ?? 0
  }

  /// 0 ..< size, the first far likelier than the last (Zipf's law, exponent one).
  mutating func zipf(_ size: Int) -> Int { min(size - 1, Int(exp(unit() * log(Double(size) + 1))) - 1) }
}
