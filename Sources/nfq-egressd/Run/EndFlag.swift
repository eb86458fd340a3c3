import Glibc
import Synchronization

/// Set once, from any thread.
final class EndFlag: Sendable {
  private let flag = Atomic(false)

  var isSet: Bool { flag.load(ordering: .acquiring) }

  func set() { flag.store(true, ordering: .releasing) }

  /// Waits, in steps of a tenth of a second, for work that has nothing else to wake it; true when it is set.
  func wait(tenths: Int) -> Bool {
    for _ in 0..<tenths where !isSet { usleep(100_000) }
    return isSet
  }
}
