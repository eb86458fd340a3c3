import Glibc
import PacketInspect
import Synchronization

/// Changes of overlays on their way to the store, in order. None is lost while the daemon lives: they stay until they
/// are on disk.
final class OverlayOutbox: Sendable {
  /// Changes that may wait: while the disk is away each takes some hundred bytes, a session found benign some thousand. Beyond it none is accepted.
  static let capacity = 2 * OverlaySet.maximumCount

  private struct State: Sendable {
    var changes: [OverlayChange] = []
    /// Numbers of the last change added and of the last one written.
    var added: UInt64 = 0
    var written: UInt64 = 0
  }

  private let state = Mutex(State())

  /// True when the store is so far behind that nothing more may be decided.
  var isFull: Bool { state.withLock { $0.changes.count >= Self.capacity } }

  /// Hands changes over; returns what to wait for.
  func add(_ changes: [OverlayChange]) -> UInt64 {
    state.withLock { state in
      state.changes += changes
      state.added += UInt64(changes.count)
      return state.added
    }
  }

  /// Waits until they are on disk; false when they were not in time.
  func wait(for ticket: UInt64, milliseconds: Int) -> Bool {
    for _ in 0..<max(1, milliseconds) {
      if state.withLock({ $0.written >= ticket }) { return true }
      usleep(1_000)
    }
    return false
  }

  /// All that is not written. It stays until `confirm`.
  var unwritten: [OverlayChange] { state.withLock { $0.changes } }

  /// True when something is not written.
  var isEmpty: Bool { state.withLock { $0.changes.isEmpty } }

  /// The oldest `count` changes are on disk.
  func confirm(_ count: Int) {
    state.withLock { state in
      state.changes.removeFirst(count)
      state.written += UInt64(count)
    }
  }
}
