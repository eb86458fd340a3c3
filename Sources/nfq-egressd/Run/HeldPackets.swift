import PacketInspect

/// Packets that wait until somebody can say whose they are. The queue bounds their number (`limits.heldPackets`).
struct HeldPackets {
  /// How long a packet may wait, in nanoseconds: runtimes announce a container within some tens of milliseconds.
  /// After it the packet is charged to its address, whatever is known by then.
  static let patience: Int64 = 1_000_000_000

  struct Packet {
    var bytes: [UInt8]
    var meta: PacketMeta
    var id: PacketID
    var since: Timestamp
    var isDue = false
    /// True when it has waited as long as it may.
    var isLate = false
  }

  private var packets: [Packet] = []

  mutating func add(_ packet: RawSpan, _ meta: PacketMeta, _ id: PacketID, at now: Timestamp) {
    packets.append(Packet(bytes: packet.array(), meta: meta, id: id, since: now))
  }

  /// Something was learned: all of them are asked about again.
  mutating func askAgain() {
    for index in packets.indices { packets[index].isDue = true }
  }

  /// The next packet to be asked about, in the order in which they came.
  mutating func nextDue(at now: Timestamp) -> Packet? {
    for index in packets.indices {
      let isLate = now.since(packets[index].since) >= Self.patience || now < packets[index].since
      guard packets[index].isDue || isLate else { continue }
      var packet = packets.remove(at: index)
      packet.isLate = isLate
      return packet
    }
    return nil
  }

  /// Nobody knows yet.
  mutating func putBack(_ packet: Packet) {
    var packet = packet
    packet.isDue = false
    let place = packets.firstIndex { $0.since > packet.since } ?? packets.endIndex
    packets.insert(packet, at: place)
  }
}
