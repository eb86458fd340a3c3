/// A bounded table of flows: a slab of states, chained hash buckets, and the order of use within each owner's share.
///
/// Nothing here allocates once the slab has grown to what traffic needs, and nothing takes longer because there are many
/// flows: buckets are added one at a time (linear hashing), the order is kept to about a second. Time is a parameter;
/// `sweepExpired` finds what has been idle too long, a few slots a call.
public struct FlowTable: Sendable {
  /// Idle time after which a flow is forgotten, by what it is, in nanoseconds.
  public enum IdleTimeout {
    /// TCP that was closed or reset: late retransmissions still find it.
    public static let closing: Int64 = 10 * 1_000_000_000
    /// A datagram that was all there was: conntrack's nf_conntrack_udp_timeout.
    public static let single: Int64 = 30 * 1_000_000_000
    /// TCP that nobody has answered. SYNs are repeated after at most 64 s, and what begins anew by them lost nothing.
    public static let opening: Int64 = 60 * 1_000_000_000
    /// UDP and everything without a connection: conntrack's nf_conntrack_udp_timeout_stream.
    public static let datagram: Int64 = 120 * 1_000_000_000
    /// Open TCP: an idle keep-alive connection must still be known when it speaks again.
    public static let stream: Int64 = 3_600 * 1_000_000_000
    /// Listings without a passed flow after which it is over. One may have begun before the flow was passed, another
    /// may have been disturbed.
    static let listings: UInt8 = 3
  }

  private struct Node: Sendable {
    var state: FlowState
    /// The next one in its bucket, or free.
    var next: Int32 = -1
    var newer: Int32 = -1
    var older: Int32 = -1
    /// -1 while the place is free.
    var share: Int32
  }

  /// The cap (`limits.flows`).
  public let capacity: Int
  private let seed: UInt64
  private var nodes: ContiguousArray<Node> = []
  private var free: Int32 = -1
  private var buckets: SplittingBuckets
  private var shares = FlowShares()
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
    buckets = SplittingBuckets(capacity: capacity)
    // Asked for at once, so that a growing slab is not copied while packets wait: address space, until flows fill it.
    nodes.reserveCapacity(min(self.capacity, SplittingBuckets.reserved))
  }

  /// The state at an index that `find` or `insert` gave and `remove` has not taken back.
  public subscript(index: Int32) -> FlowState {
    @inline(__always) _read { yield nodes[Int(index)].state }
    @inline(__always) _modify { yield &nodes[Int(index)].state }
  }

  /// True when a flow has this index now.
  public func isUsed(_ index: Int32) -> Bool { nodes.indices.contains(Int(index)) && nodes[Int(index)].share >= 0 }

  /// The flow with `key`, or -1.
  @inline(__always)
  public func find(_ key: FlowKey) -> Int32 {
    var index = buckets[bucket(of: key)]
    while index >= 0, nodes[Int(index)].state.key != key { index = nodes[Int(index)].next }
    return index
  }

  /// A new flow's index, or -1 when the table is full.
  public mutating func insert(
    _ key: FlowKey, clientIsFirst: Bool, session: Int32, owner: FlowOwner, at now: Timestamp
  ) -> Int32 {
    guard count < capacity else { return -1 }
    if count >= buckets.count { splitBucket() }
    let share = shares.share(of: owner) ?? shares.ownShare(of: owner)
    var state = FlowState(key: key, clientIsFirst: clientIsFirst, session: session, started: now, id: nextID)
    state.hasShownItself = share != FlowShares.common
    nextID &+= 1
    let node = Node(state: state, share: share)
    let index: Int32
    if free >= 0 {
      index = free
      free = nodes[Int(index)].next
      nodes[Int(index)] = node
    } else {
      index = Int32(nodes.count)
      nodes.append(node)
    }
    chain(index, to: bucket(of: key))
    shares.add(to: share)
    linkNewest(index)
    count += 1
    return index
  }

  /// The flows for which `isWanted` holds. Looks at all of them: for what happens rarely.
  func indices(where isWanted: (FlowState) -> Bool) -> [Int32] {
    nodes.indices.filter { nodes[$0].share >= 0 && isWanted(nodes[$0].state) }.map { Int32($0) }
  }

  /// Notes that the flow was used at `now`.
  @inline(__always)
  public mutating func touch(_ index: Int32, at now: Timestamp) {
    let before = nodes[Int(index)].state.lastSeen
    guard before < now else { return }
    nodes[Int(index)].state.lastSeen = now
    // Neighbours in the order are far away in memory.
    if before.nanoseconds >> 30 != now.nanoseconds >> 30 { linkAnew(index) }
  }

  /// Puts a flow at the end of the order without its having been used.
  mutating func linkAnew(_ index: Int32) {
    unlink(index)
    linkNewest(index)
  }

  /// Notes that a flow is answered; when `isProof`, that its source is where it says to be.
  mutating func noteAnswered(_ index: Int32, owner: FlowOwner, isProof: Bool) {
    unlink(index)
    nodes[Int(index)].state.isAnswered = true
    if isProof, !nodes[Int(index)].state.hasShownItself {
      nodes[Int(index)].state.hasShownItself = true
      shares.take(from: nodes[Int(index)].share)
      nodes[Int(index)].share = shares.ownShare(of: owner)
      shares.add(to: nodes[Int(index)].share)
    }
    linkNewest(index)
  }

  /// Forgets a flow.
  public mutating func remove(_ index: Int32) {
    let bucket = bucket(of: nodes[Int(index)].state.key)
    var cursor = buckets[bucket]
    if cursor == index {
      buckets[bucket] = nodes[Int(index)].next
    } else {
      while nodes[Int(cursor)].next != index { cursor = nodes[Int(cursor)].next }
      nodes[Int(cursor)].next = nodes[Int(index)].next
    }
    unlink(index)
    shares.take(from: nodes[Int(index)].share)
    nodes[Int(index)].share = -1
    nodes[Int(index)].next = free
    free = index
    count -= 1
  }

  /// The flow that is to make room for one more of `owner`'s in a full table: the longest silent one of who has most,
  /// unanswered ones first. `isOwn` when that is `owner` itself.
  func victim(for owner: FlowOwner) -> (flow: Int32, isOwn: Bool) {
    let own = shares.share(of: owner)
    let largest = shares.largest
    let isOwn = own.map { shares[$0].count > 0 && shares[$0].count + 1 >= shares[largest].count } ?? false
    let share = isOwn ? own ?? largest : largest
    let flow = shares[share].unanswered.oldest
    return (flow >= 0 ? flow : shares[share].answered.oldest, isOwn)
  }

  /// True when one more flow has no place.
  var isFull: Bool { count >= capacity }

  /// Looks at the next few slots for a flow whose time is over: short timeouts must not wait behind long ones. -1 when
  /// none of them is. `slots` is what may still be looked at.
  public mutating func sweepExpired(slots: inout Int, at now: Timestamp) -> Int32 {
    slots = min(slots, nodes.count)
    while slots > 0 {
      slots -= 1
      sweep = sweep + 1 >= nodes.count ? 0 : sweep + 1
      if nodes[sweep].share >= 0, isExpired(Int32(sweep), now) { return Int32(sweep) }
    }
    return -1
  }

  /// All flows, the longest silent first. For draining at the end.
  func indicesByUse() -> [Int32] {
    indices { _ in true }.sorted {
      let (one, other) = (nodes[Int($0)].state, nodes[Int($1)].state)
      return (one.lastSeen, one.id) < (other.lastSeen, other.id)
    }
  }

  private func isExpired(_ index: Int32, _ now: Timestamp) -> Bool {
    let state = nodes[Int(index)].state
    if isWithKernel(index), hasVanished(index) { return true }
    let limit: Int64
    if state.key.proto != IPProtocol.tcp.rawValue {
      limit = state.isAnswered ? IdleTimeout.datagram : IdleTimeout.single
    } else if state.isClosing {
      limit = IdleTimeout.closing
    } else {
      limit = state.isAnswered ? IdleTimeout.stream : IdleTimeout.opening
    }
    return now.since(state.lastSeen) > limit
  }

  /// True for a flow whose packets go past us.
  func isWithKernel(_ index: Int32) -> Bool {
    nodes[Int(index)].state.isPassed && nodes[Int(index)].state.epoch == passEpoch
  }

  /// True for a passed flow that the kernel has no more.
  func hasVanished(_ index: Int32) -> Bool { listing &- nodes[Int(index)].state.listing >= IdleTimeout.listings }

  // MARK: The order of use

  @inline(__always)
  private func isListedAnswered(_ index: Int32) -> Bool {
    nodes[Int(index)].share != FlowShares.common && nodes[Int(index)].state.isAnswered
  }

  private mutating func linkNewest(_ index: Int32) {
    let share = nodes[Int(index)].share
    if isListedAnswered(index) {
      Self.link(index, &nodes, &shares[share].answered)
    } else {
      Self.link(index, &nodes, &shares[share].unanswered)
    }
  }

  private mutating func unlink(_ index: Int32) {
    let share = nodes[Int(index)].share
    if isListedAnswered(index) {
      Self.unlink(index, &nodes, &shares[share].answered)
    } else {
      Self.unlink(index, &nodes, &shares[share].unanswered)
    }
  }

  private static func link(_ index: Int32, _ nodes: inout ContiguousArray<Node>, _ order: inout FlowShares.Order) {
    nodes[Int(index)].older = order.newest
    nodes[Int(index)].newer = -1
    if order.newest >= 0 { nodes[Int(order.newest)].newer = index }
    order.newest = index
    if order.oldest < 0 { order.oldest = index }
  }

  private static func unlink(_ index: Int32, _ nodes: inout ContiguousArray<Node>, _ order: inout FlowShares.Order) {
    let newer = nodes[Int(index)].newer
    let older = nodes[Int(index)].older
    if newer >= 0 { nodes[Int(newer)].older = older } else { order.newest = older }
    if older >= 0 { nodes[Int(older)].newer = newer } else { order.oldest = newer }
  }

  // MARK: Buckets

  @inline(__always)
  private func bucket(of key: FlowKey) -> Int { buckets.place(of: key.hash(seed: seed)) }

  private mutating func chain(_ index: Int32, to bucket: Int) {
    nodes[Int(index)].next = buckets[bucket]
    buckets[bucket] = index
  }

  /// Adds a bucket, and divides with it the one whose turn it is.
  private mutating func splitBucket() {
    var index = buckets.split()
    while index >= 0 {
      let next = nodes[Int(index)].next
      chain(index, to: bucket(of: nodes[Int(index)].state.key))
      index = next
    }
  }
}
