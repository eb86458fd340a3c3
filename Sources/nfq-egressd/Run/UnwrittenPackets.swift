import PacketInspect

/// Packets that wait until the destination they made one of a session's is on disk (`store.durability: strict`).
struct UnwrittenPackets {
  /// How long one may wait, in nanoseconds: inspection goes on while the disk is away, and says so.
  static let patience: Int64 = 1_000_000_000

  private struct Packet {
    var id: PacketID
    var decision: Decision
    var since: Timestamp
    /// When the store's writer had been handed the change; nil before.
    var offered: Timestamp?
  }

  private var packets: [Packet] = []

  var isEmpty: Bool { packets.isEmpty }

  mutating func add(_ decision: Decision, _ id: PacketID, at now: Timestamp) {
    packets.append(Packet(id: id, decision: decision, since: now))
  }

  /// Everything so far was handed to the writer by `now`.
  mutating func noteOffer(at now: Timestamp) {
    for index in packets.indices where packets[index].offered == nil { packets[index].offered = now }
  }

  /// The next packet to let go: written, or tired of waiting.
  mutating func next(durable: Timestamp, now: Timestamp) -> PacketRelease? {
    let place = packets.firstIndex { packet in
      if let offered = packet.offered, offered <= durable { return true }
      return now.since(packet.since) >= Self.patience || now < packet.since
    }
    guard let place else { return nil }
    let packet = packets.remove(at: place)
    return PacketRelease(id: packet.id, decision: packet.decision)
  }
}
