/// Tells systemd that packets are served, for as long as the queue's thread goes round: when it stalls, or this thread
/// does, the watchdog hears nothing and has the daemon started anew.
struct Watchdog {
  private let manager: ServiceManager
  private var seen: UInt64?

  init(_ manager: ServiceManager) { self.manager = manager }

  /// To be called every second with the queue's progress.
  mutating func look(at progress: UInt64) {
    guard manager.watchdogInterval != nil, progress != seen else { return }
    seen = progress
    manager.tell(.alive)
  }
}
