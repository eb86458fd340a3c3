import PacketInspect
import Synchronization

/// What a queue's thread shares with other threads beside the ring of events.
struct HandlerLinks: Sendable {
  let policy: PolicyMailbox
  let control: ControlMailbox
  /// Nil without a store.
  let store: StoreWriter?
  /// Nil without a container runtime.
  let containers: ContainerLeases?
  /// Nil when no flow is to be passed to the kernel.
  let accountant: FlowAccountant?
  /// True when packets to new destinations wait for the store (`store.durability: strict`).
  var waitsForStore = false
  let published = PublishedCounters()
}

/// The inspector behind a queue: policy, commands and what the host learns come in by mailboxes, events and state go
/// out by outboxes.
struct InspectorHandler: PacketHandler {
  private var inspector: Inspector<PublicSuffixes>
  private var outbox: LiveSink
  private var held = HeldPackets()
  private var unwritten = UnwrittenPackets()
  private let evidence: HostEvidence?
  private let links: HandlerLinks
  private var epoch: UInt32
  private var leasesSeen: UInt64 = 0
  private var accounts = ContiguousArray<AccountEntry>()
  private var accountsRead = 0
  /// Entries of the account taken at a look: packets wait meanwhile.
  private static let accountsPerLook = 512

  init(
    inspector: consuming Inspector<PublicSuffixes>, epoch: UInt32, evidence: HostEvidence?,
    events: HandoverRing<Event>, links: HandlerLinks
  ) {
    inspector.evidence = evidence
    self.evidence = evidence
    for registration in inspector.sessions.registrations { evidence?.register(registration) }
    self.inspector = inspector
    self.epoch = epoch
    self.links = links
    outbox = LiveSink(events: events, state: links.store?.ring)
  }

  mutating func handle(packet: RawSpan, meta: PacketMeta, now: Timestamp) -> Decision {
    inspector.inspect(packet, meta: meta, now: now, into: &outbox)
  }

  mutating func answer(packet: RawSpan, meta: PacketMeta, id: PacketID, now: Timestamp) -> PacketAnswer {
    let before = inspector.counters.newDestinations
    let decision = inspector.inspect(packet, meta: meta, now: now, into: &outbox)
    if decision.isPending {
      held.add(packet, meta, id, at: now)
      return .hold
    }
    guard links.waitsForStore, links.store != nil, inspector.counters.newDestinations != before,
      decision.verdict.action == .accept
    else { return .decided(decision) }
    unwritten.add(decision, id, at: now)
    return .hold
  }

  mutating func tick(now: Timestamp) {
    lookAtStore()
    lookAtHost(now)
    lookAtAccounts(now)
    inspector.mayOffload = links.accountant?.isReady ?? false
    inspector.tick(now: now, into: &outbox)
    outbox.flush()
    publish()
  }

  private mutating func lookAtHost(_ now: Timestamp) {
    for session in evidence?.look(at: now) ?? [] {
      inspector.endGoneSession(session, reason: "cgroup-gone", at: now, into: &outbox)
    }
  }

  /// Asked until nil after every receive, which makes it the moment to look at the mailboxes and to pass events on.
  mutating func nextRelease(now: Timestamp) -> PacketRelease? {
    lookAtMailboxes(now)
    while let packet = held.nextDue(at: now) {
      var meta = packet.meta
      meta.hasWaited = packet.isLate
      let decision = inspector.inspect(packet.bytes.rawSpan, meta: meta, now: now, into: &outbox)
      if decision.isPending {
        held.putBack(packet)
      } else {
        return PacketRelease(id: packet.id, decision: decision)
      }
    }
    if let store = links.store, !unwritten.isEmpty {
      inspector.handOverState(into: &outbox)
      outbox.flush()
      if outbox.isStateOffered { unwritten.noteOffer(at: WallClock.now()) }
      if let release = unwritten.next(durable: store.durableTime, now: now) { return release }
    }
    lookAtAccounts(now)
    outbox.flush()
    return nil
  }

  /// What the kernel has counted of flows that it keeps to itself.
  private mutating func lookAtAccounts(_ now: Timestamp) {
    guard let accountant = links.accountant else { return }
    if accountsRead >= accounts.count {
      guard let fresh = accountant.mailbox.take() else { return }
      accounts = fresh
      accountsRead = 0
    }
    let end = min(accounts.count, accountsRead + Self.accountsPerLook)
    for entry in accounts[accountsRead..<end] {
      switch entry {
      case .flow(let flow): inspector.account(flow, now: now, into: &outbox)
      case .listed: inspector.noteListing()
      }
    }
    accountsRead = end
  }

  /// Not before the kernel has all verdicts of the former policy: a mark that one of them writes afterwards would stay.
  mutating func noteFlush() {
    guard inspector.owesRevocation else { return }
    inspector.owesRevocation = false
    links.accountant?.revokeAll()
  }

  private mutating func lookAtMailboxes(_ now: Timestamp) {
    if let fresh = links.policy.newer(than: epoch) {
      inspector.replacePolicy(fresh.policy)
      evidence?.reconfigure(fresh.configuration)
      epoch = fresh.policy.epoch
    }
    if let update = links.containers?.newer(than: &leasesSeen) {
      evidence?.leases = update.leases
      for address in update.released { inspector.forgetFlows(of: address, at: now, into: &outbox) }
      for session in update.endedSessions + goneMeanwhile(update.firstListing) {
        inspector.endGoneSession(session, reason: "container-gone", at: now, into: &outbox)
      }
      held.askAgain()
    }
    for ticket in links.control.take() {
      let former = ticket.command.sessionID.flatMap { inspector.sessions.registration(of: $0) }
      let outcome = ticket.command.execute(on: &inspector, at: now, into: &outbox)
      if let id = ticket.command.sessionID {
        if let former { evidence?.unregister(former) }
        if let present = inspector.sessions.registration(of: id) { evidence?.register(present) }
      }
      ticket.answer(outcome)
    }
  }

  /// Sessions of containers that were removed while no daemon ran.
  private func goneMeanwhile(_ living: Set<String>?) -> [String] {
    guard let living else { return [] }
    return inspector.sessionOverviews().filter { $0.attribution == .container && !living.contains($0.id) }.map(\.id)
  }

  mutating func finish(now: Timestamp) {
    lookAtStore()
    outbox.isLast = true
    inspector.finish(now: now, into: &outbox)
    outbox.flush()
    publish()
  }

  /// The store may have been unreadable at the start, or have lost changes.
  private mutating func lookAtStore() {
    guard let store = links.store else { return }
    let late = store.takeLate()
    if !late.isEmpty { inspector.takeUp(late) }
    if store.takeEverythingWanted() { inspector.storeEverything() }
  }

  private func publish() {
    links.accountant?.note(passed: inspector.counters.passed)
    links.published.publish {
      $0.counters = inspector.counters
      $0.verdicts = inspector.verdicts
      $0.flags = inspector.flagCounts
      $0.flows = inspector.flowCount
      $0.sessions = inspector.sessions.count
    }
  }
}

/// The inspector's counts as of its last tick, for other threads.
final class PublishedCounters: Sendable {
  struct Figures: Sendable {
    var counters = InspectorCounters()
    var verdicts = VerdictCounts()
    var flags: [FlagKind: UInt64] = [:]
    var flows = 0
    var sessions = 0
  }

  private let figures = Mutex(Figures())

  /// The latest figures.
  var latest: Figures { figures.withLock { $0 } }

  fileprivate func publish(_ write: (inout Figures) -> Void) { _ = figures.withLockIfAvailable { write(&$0) } }
}

/// Where the live inspector's events and changes go.
struct LiveSink: EventSink {
  /// Elements that are offered at a time at the end.
  private static let lastBatch = 4_096

  private var events: Outbox<Event>
  private var state: Outbox<StateChange>?
  /// True when no packet can come any more: waiting for the writers is right now, losing something is not.
  var isLast = false

  init(events: HandoverRing<Event>, state: HandoverRing<StateChange>?) {
    self.events = Outbox(ring: events)
    self.state = state.map { Outbox(ring: $0) }
  }

  var wantsState: Bool { state != nil }

  /// True when the ring has taken every change.
  var isStateOffered: Bool { (state?.count ?? 0) == 0 }

  mutating func record(_ event: consuming Event) {
    if case .alert(let flag) = event.body, let session = event.session {
      state?.append(.flag(RaisedFlag(session: session.id, time: event.time, flag: flag)))
    }
    events.append(event)
    if isLast, events.count >= Self.lastBatch { events.flushPatiently() }
  }

  mutating func record(_ change: StateChange) {
    state?.append(change)
    if isLast, (state?.count ?? 0) >= Self.lastBatch { state?.flushPatiently() }
  }

  /// Offers what has gathered.
  mutating func flush() {
    if isLast {
      events.flushPatiently()
      state?.flushPatiently()
    } else {
      events.flush()
      state?.flush()
    }
  }
}
