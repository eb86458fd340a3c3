import Glibc
import Logging
import PacketInspect
import Synchronization

/// Keeps the account of flows that the kernel keeps to itself, and takes them back when the policy changes.
///
/// A thread of its own hears of the end of each, lists those that live, and rewrites connmarks; what it learns goes to
/// the queue's thread. As long as it cannot do its work no flow is passed to the kernel.
final class FlowAccountant: Sendable {
  /// Time between two listings in nanoseconds, at the least: detectors that look at pauses of two seconds see them.
  private static let listInterval: Int64 = 1_000_000_000
  /// A listing takes at most this part of the time: many flows are listed less often.
  private static let listShare: Int64 = 20
  /// Without a flow that anyone knows of, listings only look for what should not be there.
  private static let idleInterval: Int64 = 60 * 1_000_000_000
  /// After a failure, in nanoseconds.
  private static let retryInterval: Int64 = 10 * 1_000_000_000
  /// Flows handed over at a time.
  private static let portion = 1_024

  let mailbox = AccountMailbox()
  private let layout: MarkLayout
  private let log: Logger
  private let tell: @Sendable (String, [(name: String, value: StatValue)]) -> Void
  private let ready = Atomic(false)
  private let revocations = Atomic<UInt32>(0)
  private let passed = Atomic<UInt64>(0)
  private let stopping = EndFlag()
  /// The ends of a pipe: what is written to the second ends a rest.
  private let waker: (Int32, Int32)
  private let thread = Mutex<PlainThread?>(nil)
  private let queue = Mutex<QueueControl?>(nil)

  /// `tell` gets events: their kind and figures.
  init(
    _ layout: MarkLayout, log: Logger, tell: @escaping @Sendable (String, [(name: String, value: StatValue)]) -> Void
  ) {
    self.layout = layout
    self.log = log
    self.tell = tell
    var ends: [Int32] = [-1, -1]
    // Without a pipe a rest takes as long as it was meant to.
    _ = unsafe pipe(&ends)
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    waker = (ends[0], ends[1])
  }

  deinit {
    close(waker.0)
    close(waker.1)
  }

  /// True while flows may be passed to the kernel. From any thread.
  var isReady: Bool { ready.load(ordering: .acquiring) }

  /// Has all passed flows taken back. To be called when every verdict that passed one has reached the kernel: a mark
  /// that is written after the taking back stays. From the queue's thread; returns at once.
  func revokeAll() {
    revocations.add(1, ordering: .releasing)
    wake()
  }

  /// How often flows were passed so far. From the queue's thread.
  func note(passed count: UInt64) { passed.store(count, ordering: .relaxed) }

  /// Begins. False when the system gives no thread.
  func begin(for control: QueueControl) -> Bool {
    queue.withLock { $0 = control }
    guard let started = PlainThread({ [self] in run() }) else { return false }
    thread.withLock { $0 = started }
    return true
  }

  /// Ends its work. Passed flows go on.
  func stop() {
    stopping.set()
    wake()
    thread.withLock {
      $0?.join()
      $0 = nil
    }
  }

  private func wake() {
    var word: UInt8 = 0
    _ = unsafe write(waker.1, &word, 1)
  }

  private func run() {
    var wasTold = false
    while !stopping.isSet {
      if let obstacle = ConntrackSettings.obstacle() {
        if !wasTold { log.warning("flows are not passed to the kernel: \(obstacle)") }
        wasTold = true
      } else {
        do throws(ConntrackError) {
          var flows = try ConntrackFlows(layout)
          wasTold = false
          try serve(&flows)
        } catch {
          if !wasTold { log.error("flows are not passed to the kernel: \(error)") }
          wasTold = true
        }
      }
      ready.store(false, ordering: .releasing)
      if !stopping.isSet { rest(Self.retryInterval, events: nil) }
    }
  }

  private func serve(_ flows: inout ConntrackFlows) throws(ConntrackError) {
    // What a former daemon passed: nobody here knows whose it is.
    var revoked = revocations.load(ordering: .acquiring)
    try revoke(&flows, because: "start")
    ready.store(true, ordering: .releasing)
    var nextListing = WallClock.now()
    var known = passed.load(ordering: .relaxed)
    var hadFlows = false
    var lastListing = nextListing
    while !stopping.isSet {
      let now = WallClock.now()
      rest(min(Self.listInterval, max(1_000_000, nextListing.since(now))), events: flows.eventDescriptor)
      let asked = revocations.load(ordering: .acquiring)
      if asked != revoked {
        revoked = asked
        try revoke(&flows, because: "policy")
      }
      var isDue = WallClock.now() >= nextListing
      do throws(ConntrackError) {
        try takeEnded(&flows)
      } catch {
        guard error.number == ENOBUFS else { throw error }
        tell("conntrack-overrun", [])
        isDue = true
      }
      guard isDue else { continue }
      let count = passed.load(ordering: .relaxed)
      let start = WallClock.now()
      if hadFlows || count != known || start.since(lastListing) >= Self.idleInterval {
        known = count
        lastListing = start
        hadFlows = try list(&flows)
        if let obstacle = ConntrackSettings.obstacle() {
          log.warning("flows are not passed to the kernel any more: \(obstacle)")
          try revoke(&flows, because: "settings")
          return
        }
      }
      let took = WallClock.now().since(start)
      nextListing = start.advanced(byNanoseconds: max(Self.listInterval, took * Self.listShare))
    }
  }

  private func takeEnded(_ flows: inout ConntrackFlows) throws(ConntrackError) {
    var portion = ContiguousArray<AccountEntry>()
    defer { handOver(&portion) }
    try flows.takeEnded {
      portion.append(.flow($0))
      if portion.count >= Self.portion { handOver(&portion) }
    }
  }

  /// True when there were flows.
  private func list(_ flows: inout ConntrackFlows) throws(ConntrackError) -> Bool {
    var portion = ContiguousArray<AccountEntry>()
    var count = 0
    let isWhole = try flows.list {
      count += 1
      portion.append(.flow($0))
      if portion.count >= Self.portion { handOver(&portion) }
    }
    if isWhole { portion.append(.listed) }
    handOver(&portion)
    return count > 0
  }

  private func revoke(_ flows: inout ConntrackFlows, because reason: String) throws(ConntrackError) {
    let start = WallClock.now()
    let result = try flows.revokeAll()
    let took = WallClock.now().since(start)
    if result.isIncomplete { log.error("not all flows could be taken back from the kernel: their number is too large") }
    guard result.flows > 0 else { return }
    tell(
      "passes-revoked",
      [
        ("reason", .text(reason)), ("flows", .count(UInt64(result.flows))),
        ("took_us", .count(UInt64(max(0, took / 1_000)))),
      ])
  }

  /// Waits for the queue's thread when it lags; gives up only at the end.
  private func handOver(_ portion: inout ContiguousArray<AccountEntry>) {
    guard !portion.isEmpty else { return }
    while !mailbox.put(&portion), !stopping.isSet {
      queue.withLock { $0?.wake() }
      usleep(1_000)
    }
    queue.withLock { $0?.wake() }
  }

  /// Waits for something to do, at most so long.
  private func rest(_ nanoseconds: Int64, events: Int32?) {
    var polled = [pollfd(fd: waker.0, events: Int16(POLLIN), revents: 0)]
    if let events { polled.append(pollfd(fd: events, events: Int16(POLLIN), revents: 0)) }
    _ = unsafe poll(&polled, nfds_t(polled.count), Int32(clamping: (nanoseconds + 999_999) / 1_000_000))
    var words = (0, 0, 0, 0, 0, 0, 0, 0)
    _ = unsafe read(waker.0, &words, MemoryLayout.size(ofValue: words))
  }
}

/// The settings of connection tracking that passing rests on.
enum ConntrackSettings {
  private static let folder = "/proc/sys/net/netfilter/"

  /// A setting; nil where connection tracking is not there.
  static func value(_ name: String, in folder: String = folder) -> String? {
    ProcFile.read(folder + name).map { $0.filter { !$0.isWhitespace } }
  }

  /// Why flows must not be passed; nil when they may.
  static func obstacle(in folder: String = folder) -> String? {
    guard let accounting = value("nf_conntrack_acct", in: folder) else {
      return "connection tracking is not there: install the rules (scripts/iptables-setup.sh), or modprobe nf_conntrack"
    }
    guard accounting == "1" else {
      return "connections are not counted: sysctl -w net.netfilter.nf_conntrack_acct=1"
    }
    // Acknowledgements of what was never sent would count as answers.
    guard value("nf_conntrack_tcp_be_liberal", in: folder) == "0" else {
      return "sequence numbers are not checked: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=0"
    }
    return nil
  }
}
