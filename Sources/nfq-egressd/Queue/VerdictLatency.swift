/// Time from the receive that brought a packet to the send that carried its verdict, by packets: what inspection adds,
/// beside the wait in the kernel's queue.
struct VerdictLatency: Sendable {
  /// Upper bounds of the buckets in nanoseconds; beyond the last one is one more bucket.
  static let bounds: [Int64] = [
    20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 50_000_000, 200_000_000,
  ]

  /// Packets by bucket, not cumulated.
  private(set) var packets = [UInt64](repeating: 0, count: bounds.count + 1)
  /// The sum of all times, in nanoseconds.
  private(set) var sum: UInt64 = 0

  /// Notes that so many packets took so long together. A clock that was set back counts as no time.
  mutating func note(_ count: UInt64, took nanoseconds: Int64) {
    var bucket = 0
    while bucket < Self.bounds.count, nanoseconds > Self.bounds[bucket] { bucket += 1 }
    packets[bucket] &+= count
    sum &+= count &* UInt64(max(0, nanoseconds))
  }
}
