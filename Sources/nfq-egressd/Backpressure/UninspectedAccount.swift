/// Packets that the rules sent to the queue and the inspector never saw, as far as three counts tell together: the
/// rules', the kernel's of the queue, and the socket's. Only arithmetic.
///
/// The counts are read one after the other while packets come. Each is taken in the order that can only tell too few:
/// what is missed at one look is found at the next.
struct UninspectedAccount: Sendable {
  /// What is known since the queue was bound.
  struct Figures: Hashable, Sendable {
    /// Packets that got a number: queued.
    var numbered: UInt64 = 0
    /// Packets that the kernel dropped because the queue was full.
    var droppedFull: UInt64 = 0
    /// Packets that the kernel dropped because the socket's buffer was full.
    var droppedSocket: UInt64 = 0
    /// Packets that the rules sent to the queue and that got no number, dropped ones apart.
    var unnumbered: UInt64 = 0
    /// Packets received.
    var received: UInt64 = 0
    /// Packets that got a number and were never received.
    var missing: UInt64 = 0
    /// Packets of which only a part was received.
    var cut: UInt64 = 0
    /// Receive buffer overruns.
    var overruns: UInt64 = 0
    /// Packets that left uninspected.
    var passed: UInt64 = 0
    /// Packets that were lost.
    var dropped: UInt64 = 0
  }

  private(set) var figures = Figures()
  private let failOpen: Bool
  private var mayBypass = false
  private var queue: QueueStatistics?
  private var rules: RuleCounters?
  /// Packets that the rules had sent at the last look, counted as `numbered` is.
  private var arrived: UInt64 = 0

  /// `failOpen` when the kernel lets packets pass that find no room (`onFailure.queueFull: open`).
  init(failOpen: Bool) { self.failOpen = failOpen }

  /// Takes what was read before the rules (`early`), of the rules where they can be read, and after them.
  mutating func take(
    _ early: QueueStatistics, _ rules: RuleCounters?, _ late: QueueStatistics, _ socket: QueueCounters
  ) {
    take(early)
    if let rules {
      if let before = self.rules, rules.queued >= before.queued {
        arrived &+= rules.queued - before.queued
      } else {
        // The first look, or rules made anew: they count from here on.
        arrived = figures.numbered &+ figures.droppedFull &+ figures.unnumbered
      }
      self.rules = rules
      mayBypass = rules.mayBypass
    }
    take(late)
    if rules != nil {
      let known = figures.numbered &+ figures.droppedFull
      figures.unnumbered = max(figures.unnumbered, arrived > known ? arrived - known : 0)
    }
    figures.received = socket.received
    figures.missing = socket.missing
    figures.cut = socket.cut
    figures.overruns = socket.overruns
    let mayPass = failOpen || mayBypass
    figures.passed = (mayPass ? figures.unnumbered : 0) &+ (failOpen ? figures.missing : 0)
    figures.dropped = figures.droppedFull &+ figures.droppedSocket &+ (mayPass ? 0 : figures.unnumbered)
  }

  /// The kernel's counts have 32 bits and wrap.
  private mutating func take(_ now: QueueStatistics) {
    func more(_ now: UInt64, _ before: UInt64?) -> UInt64 {
      UInt64(UInt32(truncatingIfNeeded: now) &- UInt32(truncatingIfNeeded: before ?? 0))
    }
    figures.numbered &+= more(UInt64(now.lastID), queue.map { UInt64($0.lastID) })
    figures.droppedFull &+= more(now.queueDropped, queue?.queueDropped)
    figures.droppedSocket &+= more(now.userDropped, queue?.userDropped)
    queue = now
  }
}
