import PacketInspect
import Synchronization

/// What connection tracking tells the queue's thread, in order.
enum AccountEntry: Sendable {
  /// What was counted of a flow, or that it has ended.
  case flow(KernelFlow)
  /// All passed flows were listed.
  case listed
}

/// From the accountant's thread to the queue's. The queue's never waits; the accountant's does when the other lags.
final class AccountMailbox: Sendable {
  /// Entries that may wait. A listing of many flows is handed over in portions of this.
  private static let capacity = 8_192

  private let waiting = Mutex<ContiguousArray<AccountEntry>>([])
  private let isFilled = Atomic(false)

  /// Leaves entries; false when there is no room yet.
  func put(_ entries: inout ContiguousArray<AccountEntry>) -> Bool {
    waiting.withLock { waiting in
      guard waiting.count < Self.capacity else { return false }
      waiting += entries
      entries.removeAll(keepingCapacity: true)
      isFilled.store(true, ordering: .releasing)
      return true
    }
  }

  /// What waits; nil when nothing does. One relaxed read then.
  func take() -> ContiguousArray<AccountEntry>? {
    guard isFilled.load(ordering: .relaxed) else { return nil }
    return waiting.withLockIfAvailable { waiting in
      isFilled.store(false, ordering: .relaxed)
      defer { waiting = [] }
      return waiting
    }
  }
}
