/// Nanoseconds since the Unix epoch. The core never reads a clock: every time is a parameter.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  public var nanoseconds: Int64

  /// A time from nanoseconds since the epoch.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// A time from whole seconds since the epoch.
  public init(seconds: Int64) { nanoseconds = seconds &* 1_000_000_000 }

  /// Earlier than.
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

  /// `duration` nanoseconds later; wraps rather than traps, since captures may claim any time.
  public func advanced(byNanoseconds duration: Int64) -> Timestamp {
    Timestamp(nanoseconds: nanoseconds &+ duration)
  }

  /// Nanoseconds from `earlier` to here.
  public func since(_ earlier: Timestamp) -> Int64 { nanoseconds &- earlier.nanoseconds }
}
