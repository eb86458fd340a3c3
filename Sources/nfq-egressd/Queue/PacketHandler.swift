import PacketInspect

/// What a handler says to a packet.
enum PacketAnswer: Sendable {
  /// The decision, at once.
  case decided(Decision)
  /// Not yet: the kernel keeps the packet until `nextRelease` names it.
  case hold
}

/// The decision on a held packet.
struct PacketRelease: Sendable {
  /// Which packet.
  var id: PacketID
  /// What becomes of it.
  var decision: Decision
}

/// What stands behind a queue. All calls come from the queue's one thread; none may block.
protocol PacketHandler {
  /// Decides on a packet. `packet` starts at the network header and lives only during the call.
  mutating func handle(packet: RawSpan, meta: PacketMeta, now: Timestamp) -> Decision

  /// Called at least every 100 ms, idle or busy.
  mutating func tick(now: Timestamp)

  /// Decides on a packet or holds it. A handler that never holds leaves this to `handle`.
  /// When too many are held already (`QueueOptions.heldPackets`), the packet is dropped and counted: a hold says
  /// that it must not leave yet.
  mutating func answer(packet: RawSpan, meta: PacketMeta, id: PacketID, now: Timestamp) -> PacketAnswer

  /// The next held packet to let go; asked until nil after every receive and after a wake-up.
  mutating func nextRelease(now: Timestamp) -> PacketRelease?

  /// Every verdict so far has reached the kernel, and what its rules do by it is done.
  mutating func noteFlush()

  /// The queue stops and everything received has its verdict: the last chance, by `nextRelease`, for held packets.
  mutating func finish(now: Timestamp)
}

extension PacketHandler {
  @inline(__always)
  mutating func answer(packet: RawSpan, meta: PacketMeta, id: PacketID, now: Timestamp) -> PacketAnswer {
    .decided(handle(packet: packet, meta: meta, now: now))
  }

  @inline(__always)
  mutating func nextRelease(now: Timestamp) -> PacketRelease? { nil }

  mutating func noteFlush() {}

  mutating func finish(now: Timestamp) {}
}
