/// Puts fragmented IPv4 and IPv6 datagrams together again, for replay: live, the kernel's connection tracking has done
/// so before a packet is queued.
///
/// Bounded in datagrams, bytes and age. Fragments that overlap with other bytes than those already there spoil their
/// datagram for good: RFC 5722 asks that of IPv6, Linux does it for IPv4 too, and no reading of such a datagram can be
/// trusted to be the receiver's. Overlaps with equal bytes are retransmissions.
public struct Defragmenter {
  /// Incomplete datagrams at a time. Real traffic has a handful; the cap bounds the table under a flood of first
  /// fragments, the oldest making room.
  public static let maximumDatagrams = 4096
  /// Bytes held for all of them, a fixed cost for each piece included: room for 256 datagrams of the largest size.
  public static let maximumBytes = 16 << 20
  /// Age in nanoseconds at which an incomplete datagram is given up: what Linux grants IPv4. RFC 8200 section 4.5
  /// grants IPv6 twice that, but 16-bit identifications come round too soon to wait longer.
  public static let maximumAge: Int64 = 30 * 1_000_000_000

  /// What became of fragments that did not end in a whole packet.
  public struct Losses: Hashable, Sendable {
    /// Datagrams given up because of their age.
    public var expired = 0
    /// Datagrams pushed out by newer ones.
    public var evicted = 0
    /// Datagrams spoiled by overlaps that disagree, by two different ends, or by data beyond the end.
    public var conflicting = 0
    /// Single fragments that no datagram can use: cut by the capture, empty, misaligned or ending beyond 65,535. Also
    /// complete datagrams that together with their header are longer than a packet can be.
    public var unusable = 0

    /// No losses.
    public init() {}
  }

  /// Counts since the start.
  public private(set) var losses = Losses()

  private var datagrams: [Key: Datagram] = [:]
  /// Keys in order of arrival. Datagrams that are finished stay listed until they come up or the list is tidied.
  private var arrivals: [Arrival] = []
  private var firstArrival = 0
  private var nextSerial: UInt64 = 0
  private var heldBytes = 0

  /// RFC 791 section 3.2 tells datagrams apart by protocol too; RFC 8200 section 4.5 does not.
  private struct Key: Hashable {
    let source: IPAddress
    let destination: IPAddress
    let identification: UInt32
    let proto: UInt8
  }

  private struct Arrival {
    let key: Key
    let serial: UInt64
    let time: Timestamp
  }

  /// A defragmenter that holds nothing.
  public init() {}

  /// Number of incomplete datagrams held, spoiled ones included.
  public var datagramCount: Int { datagrams.count }

  /// Takes a packet that starts at its IP header. When it is the fragment that completes its datagram, the whole
  /// packet is returned, its header rebuilt as if it had never been fragmented.
  ///
  /// Nil for all else: for packets that are no fragments too, which the caller has in hand already.
  public mutating func add(_ packet: RawSpan, at now: Timestamp) -> [UInt8]? {
    expire(now)
    guard let network = try? NetworkHeader.parse(packet), let info = network.chain.fragment else { return nil }
    guard info.dataLength > 0, info.offset &+ info.dataLength <= 65535, !info.moreFragments || info.dataLength % 8 == 0,
      info.dataOffset &+ info.dataLength <= packet.byteCount
    else {
      losses.unusable += 1
      return nil
    }
    let key = Key(
      source: network.source, destination: network.destination, identification: info.identification,
      proto: network.source.isIPv4 ? info.nextHeader.rawValue : 0)
    if datagrams[key] == nil { start(key, at: now) }

    // Taken out and put back, so that the pieces are changed in place and not copied.
    guard var datagram = datagrams.removeValue(forKey: key) else { return nil }
    heldBytes -= datagram.cost
    let outcome = datagram.add(packet, info)
    if outcome == .complete {
      let whole = datagram.reassembled()
      if whole == nil { losses.unusable += 1 }
      return whole
    }
    if outcome == .conflict { losses.conflicting += 1 }
    heldBytes += datagram.cost
    datagrams[key] = datagram
    while heldBytes > Self.maximumBytes { evictOldest() }
    return nil
  }

  private mutating func start(_ key: Key, at now: Timestamp) {
    if datagrams.count >= Self.maximumDatagrams { evictOldest() }
    let datagram = Datagram(serial: nextSerial)
    arrivals.append(Arrival(key: key, serial: nextSerial, time: now))
    heldBytes += datagram.cost
    datagrams[key] = datagram
    nextSerial += 1
    // Twice the live ones at most, so that the list costs no more than the table.
    if arrivals.count > 2 * datagrams.count + 64 {
      arrivals = arrivals[firstArrival...].filter { datagrams[$0.key]?.serial == $0.serial }
      firstArrival = 0
    }
  }

  private mutating func expire(_ now: Timestamp) {
    while firstArrival < arrivals.count {
      let oldest = arrivals[firstArrival]
      let isLive = datagrams[oldest.key]?.serial == oldest.serial
      if isLive {
        guard now.since(oldest.time) > Self.maximumAge else { return }
        remove(oldest.key)
        losses.expired += 1
      }
      firstArrival += 1
    }
  }

  private mutating func evictOldest() {
    while firstArrival < arrivals.count {
      let oldest = arrivals[firstArrival]
      firstArrival += 1
      guard datagrams[oldest.key]?.serial == oldest.serial else { continue }
      remove(oldest.key)
      losses.evicted += 1
      return
    }
  }

  private mutating func remove(_ key: Key) {
    if let datagram = datagrams.removeValue(forKey: key) { heldBytes -= datagram.cost }
  }
}
