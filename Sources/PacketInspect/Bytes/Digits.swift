/// Numbers as text, straight into bytes: events are mostly numbers and fixed words, and a `String` for each of them cost
/// the writer more than all the rest.
extension [UInt8] {
  /// Adds a number in decimal, with leading zeros up to `width`.
  mutating func append(decimal number: UInt64, width: Int = 1) {
    // 2^64 has 20 digits.
    var digits = InlineArray<20, UInt8>(repeating: 0x30)
    var rest = number
    var count = 0
    repeat {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      digits[count] = 0x30 + UInt8(truncatingIfNeeded: digit)
      rest = quotient
      count += 1
    } while rest > 0
    var place = Swift.max(count, Swift.min(width, 20))
    while place > 0 {
      place -= 1
      append(digits[place])
    }
  }

  /// Adds a number in hexadecimal without leading zeros.
  mutating func append(hexadecimal number: UInt16) {
    var shift = 12
    while shift > 0, number >> UInt16(shift) == 0 { shift -= 4 }
    while shift >= 0 {
      append(hexadecimalDigit: UInt8(truncatingIfNeeded: number >> UInt16(shift) & 0xf))
      shift -= 4
    }
  }

  /// Adds one hexadecimal digit; `value` is below 16.
  mutating func append(hexadecimalDigit value: UInt8) { append(value < 10 ? 0x30 + value : 0x57 + value) }
}
