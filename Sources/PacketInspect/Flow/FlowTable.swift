/// A bounded table of flows: a slab of states, chained hash buckets, and one list in order of use.
///
/// Nothing here allocates once the slab has grown to what traffic needs. Time is a parameter; `expire` frees what
/// has been idle too long, a few flows a call, from the end of the list.
public struct FlowTable: Sendable {
  /// Idle time after which a flow is forgotten, by what it is, in nanoseconds.
  public enum IdleTimeout {
    /// TCP that was closed or reset: late retransmissions still find it.
    public static let closing: Int64 = 10 * 1_000_000_000
    /// UDP and everything without a connection: conntrack's nf_conntrack_udp_timeout_stream.
    public static let datagram: Int64 = 120 * 1_000_000_000
    /// TCP, open or opening: an idle keep-alive connection must still be known when it speaks again.
    public static let stream: Int64 = 3_600 * 1_000_000_000
    /// Listings without a passed flow after which it is over. One may have begun before the flow was passed, another
    /// may have been disturbed.
    static let listings: UInt8 = 3
  }

  private struct Node: Sendable {
    var state: FlowState
    var hash: UInt64
    var nextInBucket: Int32 = -1
    var newer: Int32 = -1
    var older: Int32 = -1
    var isUsed = true
  }

  /// The cap (`limits.flows`).
  public let capacity: Int
  private let seed: UInt64
  private var nodes: ContiguousArray<Node> = []
  private var free: [Int32] = []
  private var buckets: [Int32]
  private var newest: Int32 = -1
  private var oldest: Int32 = -1
  private var nextID: UInt64
  private var sweep = 0
  /// Complete listings of passed flows so far, modulo 256.
  var listing: UInt8 = 0
  /// The policy epoch whose passes hold.
  var passEpoch: UInt32 = 0
  /// Flows in the table.
  public private(set) var count = 0

  /// An empty table. `seed` is secret in live use; `firstID` numbers the flows.
  public init(capacity: Int, seed: UInt64, firstID: UInt64 = 1) {
    self.capacity = max(1, capacity)
    self.seed = seed
    nextID = firstID
    buckets = Array(repeating: -1, count: 1024)
  }

  /// The state at an index that `find` or `insert` gave and `remove` has not taken back.
  public subscript(index: Int32) -> FlowState {
    @inline(__always) _read { yield nodes[Int(index)].state }
    @inline(__always) _modify { yield &nodes[Int(index)].state }
  }

  /// True when a flow has this index now.
  public func isUsed(_ index: Int32) -> Bool { nodes.indices.contains(Int(index)) && nodes[Int(index)].isUsed }

  /// The flow with `key`, or -1.
  @inline(__always)
  public func find(_ key: FlowKey) -> Int32 {
    let hash = key.hash(seed: seed)
    var index = buckets[Int(truncatingIfNeeded: hash) & (buckets.count - 1)]
    while index >= 0 {
      if nodes[Int(index)].hash == hash, nodes[Int(index)].state.key == key { return index }
      index = nodes[Int(index)].nextInBucket
    }
    return -1
  }

  /// A new flow's index, or -1 when the table is full of flows that are still alive.
  public mutating func insert(_ key: FlowKey, clientIsFirst: Bool, session: Int32, at now: Timestamp) -> Int32 {
    guard count < capacity else { return -1 }
    if count >= buckets.count { growBuckets() }
    let hash = key.hash(seed: seed)
    let state = FlowState(key: key, clientIsFirst: clientIsFirst, session: session, started: now, id: nextID)
    nextID &+= 1
    let node = Node(state: state, hash: hash)
    let index: Int32
    if let reused = free.popLast() {
      index = reused
      nodes[Int(index)] = node
    } else {
      index = Int32(nodes.count)
      nodes.append(node)
    }
    let bucket = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
    nodes[Int(index)].nextInBucket = buckets[bucket]
    buckets[bucket] = index
    linkNewest(index)
    count += 1
    return index
  }

  /// The flows for which `isWanted` holds. Looks at all of them: for what happens rarely.
  func indices(where isWanted: (FlowState) -> Bool) -> [Int32] {
    nodes.indices.filter { nodes[$0].isUsed && isWanted(nodes[$0].state) }.map { Int32($0) }
  }

  /// Notes that the flow was used at `now`.
  @inline(__always)
  public mutating func touch(_ index: Int32, at now: Timestamp) {
    if nodes[Int(index)].state.lastSeen < now { nodes[Int(index)].state.lastSeen = now }
    guard newest != index else { return }
    unlink(index)
    linkNewest(index)
  }

  /// Forgets a flow.
  public mutating func remove(_ index: Int32) {
    let bucket = Int(truncatingIfNeeded: nodes[Int(index)].hash) & (buckets.count - 1)
    var cursor = buckets[bucket]
    if cursor == index {
      buckets[bucket] = nodes[Int(index)].nextInBucket
    } else {
      while nodes[Int(cursor)].nextInBucket != index { cursor = nodes[Int(cursor)].nextInBucket }
      nodes[Int(cursor)].nextInBucket = nodes[Int(index)].nextInBucket
    }
    unlink(index)
    nodes[Int(index)].isUsed = false
    free.append(index)
    count -= 1
  }

  /// The flow that has been idle longest, if its time is over; else -1. The caller removes it and asks again.
  public func expired(at now: Timestamp) -> Int32 {
    guard oldest >= 0 else { return -1 }
    return isExpired(oldest, now) ? oldest : -1
  }

  /// Looks at the next few slots, wherever they stand in the order of use, for a flow whose time is over: short
  /// timeouts must not wait behind long ones. -1 when none of them is. `slots` is what may still be looked at.
  public mutating func sweepExpired(slots: inout Int, at now: Timestamp) -> Int32 {
    slots = min(slots, nodes.count)
    while slots > 0 {
      slots -= 1
      sweep = sweep + 1 >= nodes.count ? 0 : sweep + 1
      if nodes[sweep].isUsed, isExpired(Int32(sweep), now) { return Int32(sweep) }
    }
    return -1
  }

  /// Any flow, oldest first; -1 when there is none. For draining at the end.
  public var anyOldest: Int32 { oldest }

  private func isExpired(_ index: Int32, _ now: Timestamp) -> Bool {
    let state = nodes[Int(index)].state
    if isWithKernel(index), hasVanished(index) { return true }
    let limit =
      state.key.proto != IPProtocol.tcp.rawValue
      ? IdleTimeout.datagram : state.isClosing ? IdleTimeout.closing : IdleTimeout.stream
    return now.since(state.lastSeen) > limit
  }

  /// True for a flow whose packets go past us.
  func isWithKernel(_ index: Int32) -> Bool {
    nodes[Int(index)].state.isPassed && nodes[Int(index)].state.epoch == passEpoch
  }

  /// True for a passed flow that the kernel has no more.
  func hasVanished(_ index: Int32) -> Bool { listing &- nodes[Int(index)].state.listing >= IdleTimeout.listings }

  private mutating func linkNewest(_ index: Int32) {
    nodes[Int(index)].older = newest
    nodes[Int(index)].newer = -1
    if newest >= 0 { nodes[Int(newest)].newer = index }
    newest = index
    if oldest < 0 { oldest = index }
  }

  private mutating func unlink(_ index: Int32) {
    let newer = nodes[Int(index)].newer
    let older = nodes[Int(index)].older
    if newer >= 0 { nodes[Int(newer)].older = older } else { newest = older }
    if older >= 0 { nodes[Int(older)].newer = newer } else { oldest = newer }
  }

  private mutating func growBuckets() {
    buckets = Array(repeating: -1, count: buckets.count * 2)
    for index in nodes.indices where nodes[index].isUsed {
      let bucket = Int(truncatingIfNeeded: nodes[index].hash) & (buckets.count - 1)
      nodes[index].nextInBucket = buckets[bucket]
      buckets[bucket] = Int32(index)
    }
  }
}
