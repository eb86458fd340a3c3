import Glibc
import Logging
import PacketInspect
import Synchronization

/// Keeps the store up to date on a thread of its own. The packet path never waits for it; whatever happens to the
/// disk, the daemon goes on, says so once a minute, and writes what it kept when it can.
final class StoreWriter: Sendable {
  /// Changes that may wait to be taken in: beyond that everything is asked for again.
  static let ringCapacity = 262_144
  /// Time between two writes, in nanoseconds: `relaxed` promises a second.
  private static let interval: Int64 = 250_000_000
  /// Time between two looks at the ring, in nanoseconds; in `strict` packets wait for it.
  private static let pause = 50_000_000
  private static let strictPause = 1_000_000
  /// Time between two attempts after a failure.
  private static let retryInterval: Int64 = 1_000_000_000
  /// Time between two complaints.
  private static let complaintInterval: Int64 = 60_000_000_000

  /// Where the queue's thread leaves changes.
  let ring = HandoverRing<StateChange>(capacity: ringCapacity)
  /// Where changes of overlays are left.
  let overlays = OverlayOutbox()
  private let path: String
  private let isStrict: Bool
  /// How long ended sessions are kept, in nanoseconds; nil for ever.
  private let keepEnded: Int64?
  private let durableUntil = Atomic<Int64>(0)
  private let wake = Mutex<(@Sendable () -> Void)?>(nil)
  private let keeper = Mutex<PolicyKeeper?>(nil)
  private let log: Logger
  private let stopping = Atomic(false)
  private let everythingWanted = Atomic(false)
  private let hasLate = Atomic(false)
  private let late = Mutex<[StoredSession]>([])
  private let lag = Atomic<Int64>(0)
  private let report: @Sendable (String, [(name: String, value: StatValue)]) -> Void

  /// Time between two looks for ended sessions to forget, when there are none.
  private static let pruneInterval: Int64 = 60_000_000_000

  /// `report` is told of what reviewers must know: a store that was set aside, failures and their end.
  init(
    path: String, isStrict: Bool = false, keepEnded: Int64? = nil, log: Logger,
    report: @escaping @Sendable (String, [(name: String, value: StatValue)]) -> Void
  ) {
    self.path = path
    self.isStrict = isStrict
    self.keepEnded = keepEnded
    self.log = log
    self.report = report
  }

  /// True once when all state must be offered again: changes were lost, or the store is a new one.
  func takeEverythingWanted() -> Bool {
    everythingWanted.load(ordering: .relaxed) && everythingWanted.exchange(false, ordering: .acquiringAndReleasing)
  }

  /// Sessions of a store that could not be read at the start, once. One relaxed read when there are none.
  func takeLate() -> [StoredSession] {
    guard hasLate.load(ordering: .relaxed) else { return [] }
    return late.withLockIfAvailable { late in
      defer { late = [] }
      hasLate.store(false, ordering: .relaxed)
      return late
    } ?? []
  }

  /// Nanoseconds since everything was on disk; 0 when it is.
  var lagNanoseconds: Int64 { lag.load(ordering: .relaxed) }

  /// Everything handed over before this time is on disk. Moves in `strict` only.
  var durableTime: Timestamp { Timestamp(nanoseconds: durableUntil.load(ordering: .acquiring)) }

  /// Called on the writer's thread whenever `durableTime` has moved.
  func onDurable(_ body: @escaping @Sendable () -> Void) { wake.withLock { $0 = body } }

  /// Who has the overlays: it gets those of a store that was read late, and tells them to a new one.
  func serve(_ keeper: PolicyKeeper) { self.keeper.withLock { $0 = keeper } }

  /// Asks for the rest to be written and the thread to end.
  func stop() { stopping.store(true, ordering: .releasing) }

  /// Opens the store and takes up what it holds. A damaged file is set aside; one that cannot be used just now is
  /// tried again while the daemon runs, and taken up then.
  func start(at now: Timestamp) -> (store: SessionStore?, sessions: [StoredSession], overlays: OverlayBook) {
    for attempt in 0..<2 {
      do throws(SessionStore.Failure) {
        let store = try SessionStore(path: path, isStrict: isStrict)
        let sessions = try store.load()
        if let gap = try store.noteStart(at: now) { tell(gap) }
        return (store, sessions, try store.loadOverlays())
      } catch {
        guard case .corrupt = error, attempt == 0, setAside(error, at: now) else {
          log.error("store \(path): \(error.description); the daemon goes on and writes its state when it can")
          report("store-unavailable", [("error", .text(error.description))])
          return (nil, [], Self.unread(at: now))
        }
      }
    }
    return (nil, [], Self.unread(at: now))
  }

  /// No overlays, with numbers that those in the store cannot have.
  private static func unread(at now: Timestamp) -> OverlayBook {
    OverlayBook(firstID: UInt64(max(1, now.nanoseconds / 1_000_000_000)))
  }

  /// The thread's body.
  func run(_ opened: SessionStore?) {
    var store = opened
    var pending = PendingState()
    var spare: [StateChange] = []
    var nextWrite = WallClock.now()
    var lastComplaint = Timestamp(nanoseconds: 0)
    var dirtySince: Timestamp?
    // What could not be opened at the start was reported then.
    var isFailing = opened == nil
    var hasLoaded = opened != nil
    var nextPrune = nextWrite
    while true {
      // Read before the ring: what was added before the order to stop is still written.
      let isLast = stopping.load(ordering: .acquiring)
      let takenAt = WallClock.now()
      var taken = ring.take(spare: &spare)
      for change in taken.elements { pending.add(change) }
      if taken.lost > 0 { everythingWanted.store(true, ordering: .releasing) }
      swap(&spare, &taken.elements)
      let now = WallClock.now()
      if pending.isEmpty { dirtySince = nil } else if dirtySince == nil { dirtySince = now }
      lag.store(dirtySince.map { now.since($0) } ?? 0, ordering: .relaxed)
      let isUrgent = !isFailing && (isStrict && !pending.isEmpty || !overlays.isEmpty)
      if now >= nextWrite || isLast || isUrgent {
        do throws(SessionStore.Failure) {
          if store == nil { store = try reopen(hasLoaded: &hasLoaded) }
          let decided = overlays.unwritten
          try store?.write(pending, decided, at: now)
          overlays.confirm(decided.count)
          pending = PendingState()
          dirtySince = nil
          if isStrict, taken.lost == 0 { announce(takenAt) }
          nextWrite = now.advanced(byNanoseconds: Self.interval)
          if isFailing {
            isFailing = false
            log.info("store \(path): writing again")
            report("store-recovered", [])
          }
          if let keepEnded, !isLast, now >= nextPrune {
            let count = try store?.prune(endedBefore: now.advanced(byNanoseconds: -keepEnded)) ?? 0
            if count < SessionStore.pruneBatch { nextPrune = now.advanced(byNanoseconds: Self.pruneInterval) }
          }
        } catch {
          nextWrite = now.advanced(byNanoseconds: Self.retryInterval)
          if case .corrupt = error, setAside(error, at: now) {
            store = nil
            everythingWanted.store(true, ordering: .releasing)
          }
          if !isFailing { report("store-unavailable", [("error", .text(error.description))]) }
          isFailing = true
          complain(error, pending.count, &lastComplaint, now)
        }
      }
      if isLast {
        try? store?.noteStop(at: WallClock.now())
        return
      }
      var pause = timespec(tv_sec: 0, tv_nsec: isStrict ? Self.strictPause : Self.pause)
      unsafe nanosleep(&pause, nil)
    }
  }

  private func announce(_ time: Timestamp) {
    durableUntil.store(time.nanoseconds, ordering: .releasing)
    wake.withLock { $0 }?()
  }

  /// Opens a store that was not there, or was set aside. The first time, what it holds is taken up late; later it is
  /// older than what the daemon knows.
  private func reopen(hasLoaded: inout Bool) throws(SessionStore.Failure) -> SessionStore {
    let store = try SessionStore(path: path, isStrict: isStrict)
    if !hasLoaded {
      let sessions = try store.load()
      if let gap = try store.noteStart(at: WallClock.now()) { tell(gap) }
      let stored = try store.loadOverlays()
      hasLoaded = true
      keeper.withLock { $0 }?.takeUp(stored.sorted)
      late.withLock { $0 = sessions }
      hasLate.store(true, ordering: .releasing)
    } else {
      for overlay in keeper.withLock({ $0 })?.overlays ?? [] {
        let author = OverlayAuthor(who: overlay.who, peer: overlay.peer, why: overlay.why)
        _ = overlays.add([OverlayChange(action: .added, overlay: overlay, at: overlay.made, author: author)])
      }
    }
    everythingWanted.store(true, ordering: .releasing)
    return store
  }

  private func setAside(_ error: SessionStore.Failure, at now: Timestamp) -> Bool {
    guard let aside = SessionStore.setAside(path: path, at: now) else { return false }
    log.error("store \(path) is damaged (\(error.description)); it was set aside as \(aside) and a new one begun")
    report("store-set-aside", [("path", .text(aside)), ("error", .text(error.description))])
    return true
  }

  private func tell(_ gap: UnobservedInterval) {
    let seconds = max(0, gap.end - gap.start) / 1_000_000_000
    log.info("nobody counted for \(seconds) s: the daemon \(gap.reason.rawValue)")
    report(
      "unobserved",
      [
        ("seconds", .count(UInt64(seconds))), ("reason", .text(gap.reason.rawValue)),
        ("since", .text(Timestamp(nanoseconds: gap.start).eveText)),
      ])
  }

  private func complain(
    _ error: SessionStore.Failure, _ waiting: Int, _ last: inout Timestamp, _ now: Timestamp
  ) {
    guard now.since(last) >= Self.complaintInterval else { return }
    last = now
    log.error("store \(path): \(error.description); \(waiting) changes wait in memory")
  }
}
