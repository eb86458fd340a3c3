import PacketInspect
import Synchronization

/// What the main thread hands to a queue's thread: a new policy.
final class PolicyMailbox: Sendable {
  private let epoch = Atomic<UInt32>(0)
  private let waiting = Mutex<PolicySnapshot?>(nil)

  /// Leaves a policy for the queue's next look.
  func put(_ policy: PolicySnapshot) {
    waiting.withLock { $0 = policy }
    epoch.store(policy.epoch, ordering: .releasing)
  }

  /// The policy, if there is another than that of `known`. One relaxed read when there is none.
  func newer(than known: UInt32) -> PolicySnapshot? {
    guard epoch.load(ordering: .relaxed) > known else { return nil }
    return waiting.withLockIfAvailable { $0 } ?? nil
  }
}

/// The inspector behind a queue: policy comes in by the mailbox, events go out by the outbox.
struct InspectorHandler: PacketHandler {
  private var inspector: Inspector<PublicSuffixes>
  private var outbox: LiveSink
  private let mailbox: PolicyMailbox
  private var epoch: UInt32
  private let published: PublishedCounters

  init(
    inspector: consuming Inspector<PublicSuffixes>, epoch: UInt32, events: HandoverRing<Event>, mailbox: PolicyMailbox,
    published: PublishedCounters
  ) {
    self.inspector = inspector
    self.epoch = epoch
    outbox = LiveSink(events: events)
    self.mailbox = mailbox
    self.published = published
  }

  mutating func handle(packet: RawSpan, meta: PacketMeta, now: Timestamp) -> Decision {
    inspector.inspect(packet, meta: meta, now: now, into: &outbox)
  }

  mutating func tick(now: Timestamp) {
    inspector.tick(now: now, into: &outbox)
    outbox.flush()
    published.publish(inspector.counters, flows: inspector.flowCount, sessions: inspector.sessions.count)
  }

  /// Nothing is held yet; asked once after every receive, which makes it the moment to look at the mailbox and to
  /// pass events on.
  mutating func nextRelease(now: Timestamp) -> PacketRelease? {
    if let policy = mailbox.newer(than: epoch) {
      inspector.replacePolicy(policy)
      epoch = policy.epoch
    }
    outbox.flush()
    return nil
  }

  mutating func finish(now: Timestamp) {
    inspector.finish(now: now, into: &outbox)
    outbox.flush()
    published.publish(inspector.counters, flows: inspector.flowCount, sessions: inspector.sessions.count)
  }
}

/// The inspector's counts as of its last tick, for other threads.
final class PublishedCounters: Sendable {
  struct Figures: Sendable {
    var counters = InspectorCounters()
    var flows = 0
    var sessions = 0
  }

  private let figures = Mutex(Figures())

  /// The latest figures.
  var latest: Figures { figures.withLock { $0 } }

  fileprivate func publish(_ counters: InspectorCounters, flows: Int, sessions: Int) {
    _ = figures.withLockIfAvailable { $0 = Figures(counters: counters, flows: flows, sessions: sessions) }
  }
}

/// Where the live inspector's events go.
struct LiveSink: EventSink {
  private var events: Outbox<Event>

  init(events: HandoverRing<Event>) { self.events = Outbox(ring: events) }

  mutating func record(_ event: consuming Event) { events.append(event) }

  /// Offers what has gathered.
  mutating func flush() { events.flush() }
}
