/// Bytes that a session sent to external destinations, over its life and over the last day by the hour.
public struct UploadBudget: Sendable {
  private static let hour: Int64 = 3_600 * 1_000_000_000

  /// Bytes over the session's life.
  public private(set) var total: UInt64 = 0
  private var hours = InlineArray<24, UInt64>(repeating: 0)
  private var currentHour: Int64 = 0
  private var reached = false

  /// Nothing sent yet.
  public init() {}

  /// As after a restart: the life's total is known, the hours are not.
  init(total: UInt64) { self.total = total }

  /// Counts bytes sent.
  @inline(__always)
  mutating func add(_ bytes: Int, at now: Timestamp) {
    total &+= UInt64(max(0, bytes))
    let hour = now.nanoseconds / Self.hour
    if hour != currentHour { advance(to: hour) }
    let slot = Int(hour.magnitude % 24)
    hours[slot] &+= UInt64(max(0, bytes))
  }

  /// Bytes within the policy's window. The day is the present hour and the 23 before it.
  public func used(_ window: BudgetWindow) -> UInt64 {
    guard window == .day else { return total }
    var sum: UInt64 = 0
    for index in 0..<24 { sum &+= hours[index] }
    return sum
  }

  /// True the first time the ceiling is found reached; armed again when the window has moved below it.
  mutating func raisesReached(_ policy: UploadBudgetPolicy) -> Bool {
    let isReached = used(policy.window) >= policy.bytes
    defer { reached = isReached }
    return isReached && !reached
  }

  /// True when new destinations are held for it.
  func holds(_ policy: UploadBudgetPolicy?) -> Bool {
    guard let policy, policy.onReach == .hold else { return false }
    return used(policy.window) >= policy.bytes
  }

  private mutating func advance(to hour: Int64) {
    let steps = hour - currentHour
    if steps >= 24 || steps < 0 {
      hours = .init(repeating: 0)
    } else {
      for step in 1...steps { hours[Int((currentHour + step).magnitude % 24)] = 0 }
    }
    currentHour = hour
  }
}
