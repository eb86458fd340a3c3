extension Timestamp {
  /// EVE's form: `2026-11-22T16:05:32.123456+0000`, UTC, microseconds.
  public var eveText: String {
    var text: [UInt8] = []
    appendEVE(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Adds EVE's form to bytes.
  func appendEVE(to text: inout [UInt8]) {
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    let borrow = rest < 0
    let whole = borrow ? seconds - 1 : seconds
    let micro = (borrow ? rest + 1_000_000_000 : rest) / 1_000
    let (day, second) = Self.floorDivide(whole, 86_400)
    let date = Self.civil(fromDay: day)
    // Of the years that nanoseconds reach none is negative.
    func add(_ value: Int64, _ width: Int, _ separator: UInt8) {
      text.append(decimal: value.magnitude, width: width)
      text.append(separator)
    }
    add(date.year, 4, UInt8(ascii: "-"))
    add(date.month, 2, UInt8(ascii: "-"))
    add(date.day, 2, UInt8(ascii: "T"))
    add(second / 3600, 2, UInt8(ascii: ":"))
    add(second / 60 % 60, 2, UInt8(ascii: ":"))
    add(second % 60, 2, UInt8(ascii: "."))
    add(micro, 6, UInt8(ascii: "+"))
    text.append(contentsOf: "0000".utf8)
  }

  private static func floorDivide(_ value: Int64, _ by: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
    return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
  }

  /// The proleptic Gregorian date of a day number since 1970-01-01: years are counted from March, so that the leap
  /// day is a year's last.
  private static func civil(fromDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(day + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}
