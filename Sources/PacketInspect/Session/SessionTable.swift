/// All sessions, and the way from a source address to one of them.
public struct SessionTable: Sendable {
  /// Sessions kept apart for addresses that nothing attributes. An agent that sprays source addresses would
  /// otherwise grow the table at will; beyond this they share one session.
  public static let maximumUnattributed = 16_384
  /// Sessions that orchestrators may register at one time.
  public static let maximumRegistered = 65_536
  /// Destinations that these sessions remember together: an agent with many addresses and names must not multiply
  /// the two caps. Beyond it they are counted, not remembered.
  public static let maximumUnattributedDestinations = 262_144
  /// The shared session's id.
  public static let overflowID = "unattributed-overflow"
  /// The id of the session of this host's resolvers.
  public static let resolverID = "resolver"

  // Not private, for the extensions of this table in their own files; nothing else touches them.
  var sessions: [AgentSession] = []
  var unsaved: [Int32] = []
  var registered = Registrations()
  var unattributedDestinations = 0
  private(set) var ended = EndedSessions()

  private var free: [Int32] = []
  private var byID: [String: Int32] = [:]
  private var byAddress: [IPAddress: KnownAddress] = [:]
  private var byAddressEpoch: UInt32 = 0
  private var lastSerial: UInt64 = 0
  private var unattributedCount = 0

  /// Addresses whose session is remembered; one more, and all are looked up anew.
  private static let maximumAddresses = 4 * maximumUnattributed

  /// The session that an address was found to be of. It may have ended since, and its place be another's.
  private struct KnownAddress {
    var index: Int32
    var serial: UInt64
  }

  /// No session yet.
  public init() {}

  /// Number of sessions that live.
  public var count: Int { byID.count }

  /// The session at an index that `index(for:policy:at:)` gave.
  public subscript(index: Int32) -> AgentSession {
    // Not `_read`: Swift 6.3 without optimisation destroys what it yields after the access has ended.
    get { sessions[Int(index)] }
    _modify { yield &sessions[Int(index)] }
  }

  /// The index of a session that lives.
  public func index(of id: String) -> Int32? { byID[id] }

  /// The indices of all sessions that live.
  public var indices: some Collection<Int32> { byID.values }

  /// The session whose packets come from `source`, made when it is new. What the shell claims comes first, then
  /// registered addresses, then configured ones, then a session of the address's own; instead of that, with
  /// `isResolvers`, the one of this host's resolvers. A spoofed source says nothing: whoever has the address by right is
  /// not to be charged.
  public mutating func index(
    for source: IPAddress, claim: SessionClaim? = nil, isSpoofed: Bool = false, isResolvers: Bool = false,
    policy: PolicySnapshot,
    at now: Timestamp
  ) -> Int32 {
    if isSpoofed {
      guard let claim else { return refreshed(unattributed(source.canonical, at: now), policy) }
      return refreshed(session(claim, at: now), policy)
    }
    if let claim, claim.attribution != .container || !registered.covers(source.canonical) {
      return refreshed(session(claim, at: now), policy)
    }
    if byAddressEpoch != policy.epoch {
      // Sources may have moved to other sessions; the sessions themselves stay.
      byAddress.removeAll(keepingCapacity: true)
      byAddressEpoch = policy.epoch
    }
    let address = source.canonical
    if let known = known(address), !isResolvers || sessions[Int(known)].attribution != .unattributed {
      return refreshed(known, policy)
    }
    let index: Int32
    if let registration = registered.owner(of: address) {
      index = session(
        SessionClaim(id: registration.id, agentType: registration.agentType, attribution: .registeredAddress), at: now)
    } else if let configured = policy.parts.sessionSources.match(address)?.value {
      index = session(
        SessionClaim(id: configured.id, agentType: configured.agentType, attribution: .address), at: now)
    } else if isResolvers, let resolver = resolver(at: now) {
      return refreshed(resolver, policy)
    } else {
      index = unattributed(address, at: now)
    }
    if byAddress.count >= Self.maximumAddresses { byAddress.removeAll(keepingCapacity: true) }
    byAddress[address] = KnownAddress(index: index, serial: sessions[Int(index)].serial)
    return refreshed(index, policy)
  }

  private func known(_ address: IPAddress) -> Int32? {
    guard let known = byAddress[address] else { return nil }
    let place = Int(known.index)
    return sessions[place].serial == known.serial && sessions[place].ended == nil ? known.index : nil
  }

  /// The session of what this host's resolvers ask on nobody's behalf; nil when somebody else has its id.
  private mutating func resolver(at now: Timestamp) -> Int32? {
    if let known = byID[Self.resolverID], sessions[Int(known)].attribution != .resolver { return nil }
    return session(
      SessionClaim(id: Self.resolverID, agentType: AgentType.unattributedName, attribution: .resolver), at: now)
  }

  private mutating func unattributed(_ address: IPAddress, at now: Timestamp) -> Int32 {
    var id = "\(AgentType.unattributedName)-\(address)"
    if byID[id] == nil, unattributedCount >= Self.maximumUnattributed { id = Self.overflowID }
    return session(
      SessionClaim(id: id, agentType: AgentType.unattributedName, attribution: .unattributed), at: now)
  }

  /// The session of a claim, made when it is new.
  mutating func session(_ claim: SessionClaim, at now: Timestamp) -> Int32 {
    if let known = byID[claim.id] {
      if sessions[Int(known)].agentType != claim.agentType {
        sessions[Int(known)].agentType = claim.agentType
        sessions[Int(known)].epoch = 0
        markUnsaved(known)
      }
      return known
    }
    return add(
      AgentSession(id: claim.id, agentType: claim.agentType, attribution: claim.attribution, started: now))
  }

  private mutating func add(_ session: AgentSession) -> Int32 {
    var session = session
    lastSerial &+= 1
    session.serial = lastSerial
    let index: Int32
    if let reused = free.popLast() {
      index = reused
      sessions[Int(index)] = session
    } else {
      index = Int32(sessions.count)
      sessions.append(session)
    }
    byID[session.id] = index
    if session.attribution == .unattributed {
      unattributedCount += 1
      unattributedDestinations += session.budget.used
    }
    if session.isUnsaved { markUnsaved(index) }
    return index
  }

  // MARK: Life

  /// Takes sessions up from the store: usually before the first packet, later when the store could not be read then.
  /// Those that ended stay ended; what one did since is added to what it had done.
  public mutating func takeUp(_ stored: [StoredSession]) {
    for session in stored where session.state.ended == nil {
      let state = session.state
      if let known = byID[state.id] {
        sessions[Int(known)].add(session)
        markUnsaved(known)
      } else {
        _ = add(AgentSession(session))
      }
      registered.takeUp(state)
    }
    forgetAddresses()
  }

  /// Has all addresses looked up anew: they may have changed hands.
  mutating func forgetAddresses() {
    byAddress.removeAll(keepingCapacity: true)
  }

  /// Ends a session: its id and addresses are free, its slot as soon as no flow is left.
  mutating func end(_ index: Int32, at now: Timestamp) {
    guard sessions[Int(index)].ended == nil else { return }
    sessions[Int(index)].ended = now
    ended.add(sessions[Int(index)])
    sessions[Int(index)].traffic = SessionTraffic()
    markUnsaved(index)
    let id = sessions[Int(index)].id
    byID[id] = nil
    if sessions[Int(index)].attribution == .unattributed {
      unattributedCount -= 1
      unattributedDestinations -= sessions[Int(index)].budget.used
    }
    // What `byAddress` knows of it is recognised as old when it is looked up; nothing here grows with the table.
    registered.remove(id)
  }

  /// Counts bytes that the session sent.
  @inline(__always)
  mutating func countSent(_ index: Int32, _ bytes: Int, isExternal: Bool, at now: Timestamp) {
    sessions[Int(index)].figures.bytesOut &+= UInt64(truncatingIfNeeded: bytes)
    if isExternal { sessions[Int(index)].uploads.add(bytes, at: now) }
  }

  /// Counts bytes that the session received.
  @inline(__always)
  mutating func countReceived(_ index: Int32, _ bytes: Int) {
    sessions[Int(index)].figures.bytesIn &+= UInt64(truncatingIfNeeded: bytes)
  }

  /// Whose a flow of this session's is when the flow table gets full. An address that nothing attributes may be invented.
  /// Asked here, where nothing of a session or of the inspector is copied for it.
  func flowOwner(_ index: Int32, source: IPAddress) -> FlowOwner {
    sessions[Int(index)].attribution == .unattributed ? FlowOwner(source: source) : .session(index)
  }

  /// True when flows of the session were forgotten that their later packets do not explain.
  func hasLosses(_ index: Int32) -> Bool { sessions[Int(index)].hasLosses }

  /// A flow of the session begins.
  mutating func beginFlow(_ index: Int32, at now: Timestamp) {
    sessions[Int(index)].liveFlows += 1
    sessions[Int(index)].figures.flows &+= 1
    sessions[Int(index)].lastSeen = max(sessions[Int(index)].lastSeen, now)
    markUnsaved(index)
  }

  /// A flow of the session ends.
  mutating func endFlow(_ index: Int32) {
    sessions[Int(index)].liveFlows -= 1
    release(index)
  }

  /// Sessions without a flow or contact since `limit`.
  func idle(since limit: Timestamp) -> [Int32] {
    byID.values.filter { sessions[Int($0)].lastSeen < limit && sessions[Int($0)].liveFlows == 0 }
  }

  /// Frees the slot of a session that ended, once nothing refers to it.
  mutating func release(_ index: Int32) {
    let place = Int(index)
    guard sessions[place].ended != nil, sessions[place].liveFlows <= 0, !sessions[place].isListedUnsaved,
      !sessions[place].isFree
    else { return }
    sessions[place].isFree = true
    free.append(index)
  }

  /// Changes what a session's traffic adds up to, by the thresholds of its type; nothing of it is copied.
  @inline(__always)
  mutating func withTraffic<Result>(_ index: Int32, _ body: (inout SessionTraffic, ShapePolicy) -> Result) -> Result {
    let policy = sessions[Int(index)].shapePolicy
    return body(&sessions[Int(index)].traffic, policy)
  }
}
