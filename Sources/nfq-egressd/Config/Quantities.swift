/// A time as a configuration writes it: a whole number and a unit.
struct TimeSpan: Sendable, Hashable, Comparable, CustomStringConvertible {
  private static let units: [(name: String, seconds: Int64)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]

  var seconds: Int64

  init(seconds: Int64) { self.seconds = seconds }

  /// From `90s`, `30m`, `1h`, `7d`. A number without a unit is nothing: nobody could tell what was meant.
  init?(_ text: String) {
    guard let unit = Self.units.first(where: { text.hasSuffix($0.name) }),
      let count = Quantity.number(text.dropLast(unit.name.count))
    else { return nil }
    let (seconds, overflow) = count.multipliedReportingOverflow(by: unit.seconds)
    guard !overflow else { return nil }
    self.seconds = seconds
  }

  /// Nanoseconds, at most the largest there are.
  var nanoseconds: Int64 {
    let (value, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : value
  }

  /// In the largest unit that loses nothing.
  var description: String {
    let unit = Self.units.first { seconds >= $0.seconds && seconds % $0.seconds == 0 } ?? ("s", 1)
    return "\(seconds / unit.seconds)\(unit.name)"
  }

  static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.seconds < right.seconds }
}

/// A number of bytes as a configuration writes it: a whole number, and a decimal or binary unit.
struct ByteCount: Sendable, Hashable, CustomStringConvertible {
  private static let units: [(name: String, bytes: Int64)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("KB", 1_000), ("B", 1), ("", 1),
  ]

  var bytes: Int64

  init(bytes: Int64) { self.bytes = bytes }

  /// From `1GB` (10^9), `2GiB` (2^31), `4096`.
  init?(_ text: String) {
    guard let unit = Self.units.first(where: { text.hasSuffix($0.name) }),
      let count = Quantity.number(text.dropLast(unit.name.count))
    else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
    guard !overflow else { return nil }
    self.bytes = bytes
  }

  /// In the largest unit that loses nothing.
  var description: String {
    let unit = Self.units.filter { bytes >= $0.bytes && bytes % $0.bytes == 0 }.max { $0.bytes < $1.bytes }
    return "\(bytes / (unit?.bytes ?? 1))\(unit?.bytes == 1 ? "" : unit?.name ?? "")"
  }
}

private enum Quantity {
  /// Decimal digits without a leading zero.
  static func number(_ text: Substring) -> Int64? {
    guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), text == "0" || !text.hasPrefix("0") else { return nil }
    return Int64(text)
  }
}
