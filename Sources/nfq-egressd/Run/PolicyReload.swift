import Glibc
import PacketInspect
import Synchronization

/// Reads the configuration and its lists again, on a thread of its own: lists of millions take seconds, in which
/// packets, signals and overlays go on. One reading at a time; an order that comes meanwhile is carried out after it.
final class PolicyReload {
  /// What came of a reading.
  enum Outcome: Sendable {
    case policy(CompiledPolicy)
    case faults(ConfigurationFaults)
  }

  /// What both threads see.
  private final class Shared: Sendable {
    let outcome = Mutex<Outcome?>(nil)
    let isStopped = Atomic(false)
  }

  private let shared = Shared()
  private let file: String
  private let compiler: PolicyCompiler
  private let onEnd: @Sendable () -> Void
  private var thread: PlainThread?
  private var isWanted = false

  /// `onEnd` is called on the reading's thread, when `look` has something to give.
  init(_ file: String, _ compiler: PolicyCompiler, onEnd: @escaping @Sendable () -> Void) {
    self.file = file
    let shared = shared
    var compiler = compiler
    compiler.watch.isStopped = { shared.isStopped.load(ordering: .relaxed) }
    self.compiler = compiler
    self.onEnd = onEnd
  }

  /// Begins a reading, or notes that another is wanted. The names of `categories` keep their numbers. False when the
  /// system gives no thread.
  func order(_ categories: CategoryNames) -> Bool {
    isWanted = false
    guard thread == nil else {
      isWanted = true
      return true
    }
    thread = PlainThread { [file, compiler, shared, onEnd] in
      // Packets come first; zero is the calling thread.
      setpriority(.init(PRIO_PROCESS.rawValue), 0, 10)
      let outcome: Outcome
      do throws(ConfigurationFaults) {
        outcome = .policy(try compiler.compile(file: file, epoch: 1, categoryNames: categories))
      } catch {
        outcome = .faults(error)
      }
      shared.outcome.withLock { $0 = outcome }
      onEnd()
    }
    return thread != nil
  }

  /// What a reading has come to, once; and whether another is wanted.
  func look() -> (outcome: Outcome, isWantedAgain: Bool)? {
    guard let outcome = shared.outcome.withLock({ $0.take() }) else { return nil }
    thread?.join()
    thread = nil
    return (outcome, isWanted)
  }

  /// Ends a reading that goes on.
  func stop() {
    shared.isStopped.store(true, ordering: .relaxed)
    thread?.join()
    thread = nil
  }
}
