import PacketInspect
import Synchronization

/// What the main thread hands to a queue's thread: a new policy, and the configuration behind it.
final class PolicyMailbox: Sendable {
  struct Letter: Sendable {
    var policy: PolicySnapshot
    var configuration: Configuration
  }

  private let epoch = Atomic<UInt32>(0)
  private let waiting = Mutex<Letter?>(nil)

  /// Leaves a policy for the queue's next look.
  func put(_ policy: PolicySnapshot, of configuration: Configuration) {
    waiting.withLock { $0 = Letter(policy: policy, configuration: configuration) }
    epoch.store(policy.epoch, ordering: .releasing)
  }

  /// The policy, if there is another than that of `known`. One relaxed read when there is none.
  func newer(than known: UInt32) -> Letter? {
    guard epoch.load(ordering: .relaxed) > known else { return nil }
    return waiting.withLockIfAvailable { $0 } ?? nil
  }
}
