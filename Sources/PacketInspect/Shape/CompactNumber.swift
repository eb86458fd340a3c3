/// A count in two bytes, exact to one part in a thousand: five bits of shift and eleven of value. Larger counts have
/// larger codes, so codes sort as what they stand for.
struct CompactNumber: Hashable, Comparable, Sendable {
  let code: UInt16

  init(_ value: UInt64) {
    let shift = max(0, 53 - value.leadingZeroBitCount)
    // Beyond 2^42, in milliseconds more than a century.
    code = shift > 31 ? .max : UInt16(shift) << 11 | UInt16(truncatingIfNeeded: value >> UInt64(shift))
  }

  init() { code = 0 }

  /// About what was put in.
  var value: UInt64 { UInt64(code & 0x7ff) << UInt64(code >> 11) }

  static func < (left: CompactNumber, right: CompactNumber) -> Bool { left.code < right.code }
}

/// The middle of a few numbers, and how far from it they lie: neither is moved far by a minority of strays.
struct Spread: Hashable, Sendable {
  /// The median.
  let median: Double
  /// The median of the absolute deviations from it, as a share of it.
  let relativeDeviation: Double

  /// Of the first `count` numbers, at most twelve; nil of none.
  init?(_ numbers: InlineArray<12, CompactNumber>, count: Int) {
    let count = min(count, 12)
    guard count > 0 else { return nil }
    var values = InlineArray<12, Double>(repeating: 0)
    for index in 0..<count { values[index] = Double(numbers[index].value) }
    let median = Self.median(&values, count)
    for index in 0..<count { values[index] = abs(values[index] - median) }
    self.median = median
    relativeDeviation = median > 0 ? Self.median(&values, count) / median : 0
  }

  /// Sorts by insertion: for a dozen numbers nothing is faster.
  private static func median(_ values: inout InlineArray<12, Double>, _ count: Int) -> Double {
    var end = 1
    while end < count {
      let value = values[end]
      var place = end
      while place > 0, values[place - 1] > value {
        values[place] = values[place - 1]
        place -= 1
      }
      values[place] = value
      end += 1
    }
    let middle = count / 2
    return count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2
  }
}
