import Glibc
import PacketInspect

/// The only place that reads the time.
enum WallClock {
  /// CLOCK_REALTIME. It may step: whoever measures an interval must bear a negative one.
  @inline(__always)
  static func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
  }
}
