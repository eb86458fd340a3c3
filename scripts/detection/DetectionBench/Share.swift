import Glibc

/// So many of so many, with the 95 % interval of Wilson (1927).
struct Share {
  var hits: Int
  var of: Int

  var percent: Double { of > 0 ? 100 * Double(hits) / Double(of) : 0 }

  var interval: (low: Double, high: Double) {
    guard of > 0 else { return (0, 100) }
    let n = Double(of)
    let p = Double(hits) / n
    let z = 1.959964
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (100 * max(0, centre - half), 100 * min(1, centre + half))
  }

  var text: String { "\(Share.short(percent)) % (\(Share.short(interval.low)) to \(Share.short(interval.high)))" }

  static func short(_ value: Double) -> String {
    let tenths = Int((value * (value < 10 ? 100 : 10)).rounded())
    let unit = value < 10 ? 100 : 10
    let rest = String(tenths % unit)
    return "\(tenths / unit)." + String(repeating: "0", count: (unit == 100 ? 2 : 1) - rest.count) + rest
  }
}
