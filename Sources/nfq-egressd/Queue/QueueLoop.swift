import Glibc
import PacketInspect
import Synchronization

/// What other threads may do with a running queue: stop it, wake it, read its counts.
final class QueueControl: Sendable {
  private let stopping = Atomic(false)
  private let waker: QueueWaker?
  private let published = Mutex(QueueCounters())
  private let rounds = Atomic<UInt64>(0)
  private let publishedLatency = Mutex(VerdictLatency())

  init(waker: QueueWaker?) { self.waker = waker }

  /// Asks the queue to drain and stop. Returns at once.
  func stop() {
    stopping.store(true, ordering: .releasing)
    wake()
  }

  /// Makes the queue look at its releases now rather than at the next packet or tick.
  func wake() { waker?.wake() }

  /// The counts as of the last tick.
  var counters: QueueCounters { published.withLock { $0 } }

  /// Grows while the queue's thread goes round: at every tick, however many packets there are.
  var progress: UInt64 { rounds.load(ordering: .relaxed) }

  /// How long verdicts took, as of the last tick.
  var latency: VerdictLatency { publishedLatency.withLock { $0 } }

  /// The queue has ended.
  fileprivate func retire() { waker?.retire() }

  fileprivate var isStopping: Bool { stopping.load(ordering: .acquiring) }

  /// Never waits: when a reader is just there, the next tick publishes.
  fileprivate func publish(_ counters: QueueCounters, _ latency: VerdictLatency) {
    rounds.wrappingAdd(1, ordering: .relaxed)
    _ = published.withLockIfAvailable { $0 = counters }
    _ = publishedLatency.withLockIfAvailable { $0 = latency }
  }

  fileprivate func publishLast(_ counters: QueueCounters) { published.withLock { $0 = counters } }
}

/// The way of every packet of one queue: receive, decide, verdicts of one receive in one send.
/// Nothing in here awaits, locks or allocates.
struct QueueLoop<Handler: PacketHandler>: ~Copyable {
  private var socket: QueueSocket
  private var handler: Handler
  private let layout: MarkLayout
  private let control: QueueControl
  private let tickInterval: Int64
  private var lastTick = WallClock.now()
  private var latency = VerdictLatency()

  /// How long a stop may go on receiving. Only a flood reaches it: a full queue takes a fraction of a second.
  private static var drainLimit: Int64 { 5_000_000_000 }

  init(
    socket: consuming QueueSocket, handler: consuming Handler, layout: MarkLayout, control: QueueControl,
    idleMilliseconds: UInt32
  ) {
    self.socket = socket
    self.handler = handler
    self.layout = layout
    self.control = control
    tickInterval = Int64(idleMilliseconds) * 1_000_000
  }

  /// Serves the queue until it is told to stop, then drains and unbinds it.
  mutating func run() throws(QueueError) {
    defer { control.retire() }
    while !control.isStopping {
      let arrival = try socket.receive(waiting: true)
      // One look at the clock serves all packets of a receive.
      let now = WallClock.now()
      var answered: UInt64 = 0
      if case .messages = arrival { answered = try answerReceived(now: now) }
      try release(now: now)
      try socket.flush()
      if answered > 0 { latency.note(answered, took: WallClock.now().since(now)) }
      handler.noteFlush()
      let sinceTick = now.since(lastTick)
      // A negative interval is a clock that was set back.
      if sinceTick >= tickInterval || sinceTick < 0 { try tick(now: now) }
    }
    try drain()
  }

  /// Returns how many packets were answered.
  @discardableResult
  private mutating func answerReceived(now: Timestamp) throws(QueueError) -> UInt64 {
    try Self.answer(socket, handler: &handler, layout: layout, now: now)
  }

  /// Apart from `self`, since a packet borrows the socket while the handler changes.
  @inline(__always)
  private static func answer(
    _ socket: borrowing QueueSocket, handler: inout Handler, layout: MarkLayout, now: Timestamp
  ) throws(QueueError) -> UInt64 {
    var answered: UInt64 = 0
    while let packet = socket.next() {
      var meta = packet.meta
      meta.slot = layout.slot(of: meta.mark)
      switch handler.answer(packet: packet.payload, meta: meta, id: packet.id, now: now) {
      case .decided(let decision):
        try socket.give(layout.verdict(for: decision, received: meta.mark), to: packet.id)
        answered &+= 1
      case .hold:
        if !socket.hold(packet.id) { try socket.give(PacketVerdict(accepts: false, mark: nil), to: packet.id) }
      }
    }
    return answered
  }

  @inline(__always)
  private mutating func release(now: Timestamp) throws(QueueError) {
    while let release = handler.nextRelease(now: now) {
      // An id that is not held has had its verdict: a second one would only be refused.
      guard let mark = socket.heldMark(release.id) else { continue }
      try socket.give(layout.verdict(for: release.decision, received: mark), to: release.id)
    }
  }

  private mutating func tick(now: Timestamp) throws(QueueError) {
    lastTick = now
    handler.tick(now: now)
    let counters = socket.counters
    control.publish(counters, latency)
    // Verdicts are refused as a whole when the privilege was given up after binding: nothing would move any more.
    if counters.lastVerdictError == EPERM { throw .missingPrivilege(queue: socket.number) }
  }

  /// Gives a verdict to everything already queued: unbinding drops what has none.
  private mutating func drain() throws(QueueError) {
    let start = WallClock.now()
    var now = start
    draining: while now.since(start) < Self.drainLimit {
      switch try socket.receive(waiting: false) {
      case .nothing: break draining
      case .overrun: break
      case .messages: try answerReceived(now: now)
      }
      try release(now: now)
      try socket.flush()
      now = WallClock.now()
    }
    handler.finish(now: now)
    try release(now: now)
    try socket.flush()
    try socket.unbind()
    control.publishLast(socket.counters)
  }
}
