import Glibc
import Logging
import PacketInspect
import Synchronization

/// Watches the queue from outside: how full it is, what the kernel dropped, what passed uninspected. A thread of its
/// own; packets never wait for it.
final class QueueWatch: Sendable {
  /// Time between two looks at the kernel's table, in tenths of a second.
  private static let lookInterval = 10
  /// Looks between two at the rules, which start a program: so long is an interval that is reported.
  private static let looksPerReport = 10
  /// Reports between two `queue` events.
  private static let reportsPerEvent = 6

  /// What is known now.
  struct Status: Sendable {
    /// Packets that wait for a verdict, now and at most since the start.
    var waiting: UInt64 = 0
    var waitingMost: UInt64 = 0
    /// Nil where the rules cannot be read.
    var rules: RuleCounters?
    var figures = UninspectedAccount.Figures()
    /// Flags raised.
    var flags: UInt64 = 0
  }

  private let number: UInt16
  private let length: UInt32
  private let failOpen: Bool
  private let runDirectory: String
  private let log: Logger
  private let record: @Sendable (Event) -> Void
  private let published = Mutex(Status())
  private let stopping = EndFlag()
  private let thread = Mutex<PlainThread?>(nil)

  /// `record` takes events.
  init(_ configuration: Configuration, log: Logger, record: @escaping @Sendable (Event) -> Void) {
    number = configuration.queues.first
    length = configuration.queues.length
    failOpen = configuration.onFailure.queueFull == .open
    runDirectory = configuration.rules.directory
    self.log = log
    self.record = record
  }

  /// The latest status. From any thread.
  var status: Status { published.withLock { $0 } }

  /// Begins. False when the system gives no thread.
  func begin(for control: QueueControl) -> Bool {
    guard let started = PlainThread({ [self] in watch(control) }) else { return false }
    thread.withLock { $0 = started }
    return true
  }

  /// Ends it, after a last look.
  func stop() {
    stopping.set()
    thread.withLock {
      $0?.join()
      $0 = nil
    }
  }

  private func watch(_ control: QueueControl) {
    var account = UninspectedAccount(failOpen: failOpen)
    var status = Status()
    var told = UninspectedAccount.Figures()
    var toldAt = WallClock.now()
    var looks = 0
    while true {
      let isLast = stopping.wait(tenths: looks == 0 ? 0 : Self.lookInterval)
      let isReport = isLast || looks % Self.looksPerReport == 0
      if let early = statistics() {
        // A flag of its own: at the last look the other one is set.
        if isReport { status.rules = RuleCounters.read(runDirectory: runDirectory, stopping: EndFlag()) }
        let late = isReport ? statistics() ?? early : early
        account.take(early, isReport ? status.rules : nil, late, control.counters)
        status.waiting = late.waiting
        status.waitingMost = max(status.waitingMost, late.waiting)
        status.figures = account.figures
        published.withLock { $0 = status }
      }
      if isReport {
        let now = WallClock.now()
        if report(status.figures, since: told, from: toldAt, to: now) {
          status.flags += 1
          published.withLock { $0 = status }
        }
        told = status.figures
        toldAt = now
        let isDue = looks > 0 && looks % (Self.looksPerReport * Self.reportsPerEvent) == 0
        if isLast || isDue {
          record(Event(time: now, body: .stats(kind: "queue", figures: Self.figures(status, length))))
        }
      }
      if isLast { return }
      looks += 1
    }
  }

  private func statistics() -> QueueStatistics? { QueueStatistics.read()?.first { $0.queue == number } }

  /// Tells of what was not inspected in an interval; true when it is flagged.
  private func report(
    _ now: UninspectedAccount.Figures, since before: UninspectedAccount.Figures, from: Timestamp, to: Timestamp
  ) -> Bool {
    let (passed, dropped, cut) = (now.passed - before.passed, now.dropped - before.dropped, now.cut - before.cut)
    guard passed > 0 || dropped > 0 || cut > 0 else { return false }
    let seconds = UInt64(max(0, to.since(from) + 999_999_999) / 1_000_000_000)
    record(
      Event(
        time: to,
        body: .stats(
          kind: "uninspected",
          figures: [
            ("seconds", .count(seconds)), ("passed", .count(passed)), ("lost", .count(dropped)), ("cut", .count(cut)),
            ("passed_total", .count(now.passed)), ("lost_total", .count(now.dropped)), ("cut_total", .count(now.cut)),
          ])))
    log.warning(
      "within \(seconds) s \(passed) packets passed uninspected, \(dropped) were dropped for want of room, \(cut) came cut short"
    )
    guard passed > 0 || cut > 0 else { return false }
    let flag = ReviewFlag(
      // As the inspector's, which count from the second of the start: no second has so many.
      id: UInt64(max(0, to.nanoseconds / 1_000_000_000)) << 20, kind: .unobserved,
      summary: "\(passed) packets of agents left uninspected and \(cut) were seen in part, within \(seconds) s.",
      evidence: [
        FlagEvidence("passed", Int(clamping: passed)), FlagEvidence("cut", Int(clamping: cut)),
        FlagEvidence("seconds", Int(clamping: seconds)),
      ])
    record(Event(time: to, body: .alert(flag)))
    return true
  }

  private static func figures(_ status: Status, _ length: UInt32) -> [(name: String, value: StatValue)] {
    let figures = status.figures
    var counts: [(String, UInt64)] = [
      ("length", UInt64(length)), ("waiting", status.waiting), ("waiting_most", status.waitingMost),
      ("received", figures.received), ("missing", figures.missing), ("overruns", figures.overruns),
      ("dropped_full", figures.droppedFull), ("dropped_socket", figures.droppedSocket),
      ("passed_total", figures.passed), ("lost_total", figures.dropped), ("cut_total", figures.cut),
    ]
    if let rules = status.rules { counts += [("queued", rules.queued), ("backstop", rules.backstop)] }
    return counts.map { (name: $0.0, value: .count($0.1)) }
  }
}
