/// Bytes over the last day, by the hour: the present hour and the 23 before it.
struct HourlyBytes: Sendable {
  private static let hour: Int64 = 3_600 * 1_000_000_000

  private var hours = InlineArray<24, UInt64>(repeating: 0)
  private var currentHour: Int64 = 0
  /// The sum of the hours, as of the latest `add`.
  private(set) var sum: UInt64 = 0

  mutating func add(_ bytes: UInt64, at now: Timestamp) {
    let hour = now.nanoseconds / Self.hour
    // What a capture tells out of order belongs to the present hour.
    if hour > currentHour { advance(to: hour) }
    hours[Int(currentHour.magnitude % 24)] &+= bytes
    sum &+= bytes
  }

  private mutating func advance(to hour: Int64) {
    if hour &- currentHour >= 24 || hour < currentHour {
      hours = .init(repeating: 0)
      sum = 0
    } else {
      var step = currentHour
      while step < hour {
        step += 1
        let slot = Int(step.magnitude % 24)
        sum &-= hours[slot]
        hours[slot] = 0
      }
    }
    currentHour = hour
  }
}
