/// Whose a packet is, as far as the shell knows more than the packet shows: a control group, a container.
public struct SessionClaim: Sendable, Hashable {
  /// The session's id.
  public var id: String
  /// Its agent type's name; one that is not configured counts as unattributed.
  public var agentType: String
  /// What the claim rests on.
  public var attribution: Attribution

  /// A claim.
  public init(id: String, agentType: String, attribution: Attribution) {
    self.id = id
    self.agentType = agentType
    self.attribution = attribution
  }
}

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

  private var sessions: [AgentSession] = []
  private var free: [Int32] = []
  private var byID: [String: Int32] = [:]
  private var byAddress: [IPAddress: KnownAddress] = [:]
  private var byAddressEpoch: UInt32 = 0
  private var lastSerial: UInt64 = 0
  private var unattributedCount = 0
  private var unsaved: [Int32] = []
  private var registered = Registrations()
  private var unattributedDestinations = 0

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

  // By themselves: what is read through the subscript may be a copy of the whole session.

  /// True while a used-up upload budget holds what the session has not contacted.
  func isHeldByUploads(_ index: Int32) -> Bool {
    sessions[Int(index)].uploads.holds(sessions[Int(index)].uploadPolicy)
  }

  /// True while the mix holds what the session has not contacted.
  func isHeldByMix(_ index: Int32) -> Bool { sessions[Int(index)].isHeldByMix }

  /// How long a destination must have been silent to count in the session's mix; nil where that is not watched.
  func mixGap(_ index: Int32) -> Int64? { sessions[Int(index)].mixGap }

  /// True for a category that the baseline of the session's type lists.
  func isExpected(_ category: Category, of index: Int32) -> Bool {
    sessions[Int(index)].mixPolicy?.baseline.lists(category) == true
  }

  /// Takes a contact into a session's budget, which remembers at most `limit` destinations.
  public mutating func contact(
    _ index: Int32, _ key: DestinationKey, _ evidence: Evidence, _ category: Category = .unknown, limit: Int,
    at now: Timestamp
  ) -> BudgetOutcome {
    let place = Int(index)
    let isShared = sessions[place].attribution == .unattributed
    let isFull = isShared && unattributedDestinations >= Self.maximumUnattributedDestinations
    let before = sessions[place].budget.used
    let outcome = sessions[place].budget.contact(
      key, evidence: evidence, category: category, policy: sessions[place].budgetPolicy, limit: isFull ? 0 : limit,
      at: now)
    if outcome.admitted { sessions[place].countContact(category) }
    if isShared { unattributedDestinations += sessions[place].budget.used - before }
    return outcome
  }

  /// Counts a contact in the session's mix of categories, where its type's is watched; gives the shift that it made
  /// certain enough to flag.
  mutating func countContact(_ index: Int32, _ category: Category, _ key: DestinationKey) -> MixShift? {
    let place = Int(index)
    guard let policy = sessions[place].mixPolicy else { return nil }
    if sessions[place].mix == nil { sessions[place].mix = CategoryMix(policy.baseline) }
    sessions[place].isMixStored = false
    return sessions[place].mix?.add(category, host: key, policy: policy)
  }

  /// A reviewer has looked at the session's shift: what it holds is released. True when it held anything.
  mutating func releaseMix(_ index: Int32) -> Bool {
    let held = sessions[Int(index)].isHeldByMix
    sessions[Int(index)].mix?.release()
    sessions[Int(index)].isMixStored = false
    markUnsaved(index)
    return held
  }

  /// What a session's type says of the categories, looked up once an epoch.
  mutating func categoryActions(_ index: Int32, _ policy: PolicySnapshot) -> CategoryActions {
    let place = Int(index)
    if sessions[place].categoryEpoch != policy.epoch || sessions[place].categoryType != sessions[place].agentType {
      sessions[place].categoryEpoch = policy.epoch
      sessions[place].categoryType = sessions[place].agentType
      sessions[place].categoryActions = policy.agentType(sessions[place].agentType).categoryActions
    }
    return sessions[place].categoryActions
  }

  /// Gives destinations that came from the store their categories.
  mutating func categorize(_ category: (DestinationKey) -> Category) {
    for index in indices { sessions[Int(index)].budget.categorize(category) }
  }

  /// Takes back a destination that only one nameless flow had put there.
  public mutating func withdraw(_ index: Int32, _ key: DestinationKey) {
    let before = sessions[Int(index)].budget.used
    sessions[Int(index)].budget.withdraw(key)
    if sessions[Int(index)].attribution == .unattributed {
      unattributedDestinations += sessions[Int(index)].budget.used - before
    }
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

  private mutating func session(_ claim: SessionClaim, at now: Timestamp) -> Int32 {
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

  private mutating func refreshed(_ index: Int32, _ policy: PolicySnapshot) -> Int32 {
    refresh(index, policy)
    return index
  }

  /// Gives a session the budgets and overlays of the present policy. Once an epoch; before anything of it is judged.
  @inline(__always)
  mutating func refresh(_ index: Int32, _ policy: PolicySnapshot) {
    guard sessions[Int(index)].epoch != policy.epoch else { return }
    // A session taken up from the store has had its flags raised under the policy it is given now.
    takePolicies(index, policy, rearms: sessions[Int(index)].epoch != 0)
  }

  private mutating func takePolicies(_ index: Int32, _ policy: PolicySnapshot, rearms: Bool) {
    let session = sessions[Int(index)]
    let type = policy.agentType(session.agentType)
    var (budget, uploads) = policy.parts.overlays.budgets(
      session: session.id, agentType: type, own: session.ownBudget)
    budget?.destinations += session.extendedBy
    if budget != session.budgetPolicy {
      if rearms { sessions[Int(index)].budget.rearm() }
      sessions[Int(index)].budgetPolicy = budget
    }
    sessions[Int(index)].uploadPolicy = uploads
    sessions[Int(index)].overlays = policy.parts.overlays.of(session: session.id, agentType: type.name)
    sessions[Int(index)].shapePolicy = type.shape
    sessions[Int(index)].mixPolicy = type.mix
    sessions[Int(index)].takeUpMix(policy.parts.categories.names)
    sessions[Int(index)].epoch = policy.epoch
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
    // Addresses may have changed hands.
    byAddress.removeAll(keepingCapacity: true)
  }

  /// Ends a session: its id and addresses are free, its slot as soon as no flow is left.
  mutating func end(_ index: Int32, at now: Timestamp) {
    guard sessions[Int(index)].ended == nil else { return }
    sessions[Int(index)].ended = now
    sessions[Int(index)].traffic = SessionTraffic()
    sessions[Int(index)].isUnsaved = true
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

  private mutating func release(_ index: Int32) {
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

  // MARK: Registration

  /// All that was registered.
  public var registrations: some Collection<SessionRegistration> { registered.byID.values }

  /// What was registered for a session.
  public func registration(of id: String) -> SessionRegistration? { registered[id] }

  /// Registers a session. Saying the same twice changes nothing; more sources or control groups are added.
  mutating func register(
    _ registration: SessionRegistration, policy: PolicySnapshot, at now: Timestamp
  ) throws(SessionCommandError) -> Int32 {
    guard policy.parts.agentTypes[registration.agentType] != nil else {
      throw .unknownAgentType(registration.agentType)
    }
    let merged = try registered.add(registration)
    // Addresses may have changed hands.
    byAddress.removeAll(keepingCapacity: true)
    let attribution: Attribution = merged.cgroups.isEmpty ? .registeredAddress : .registeredCgroup
    let claim = SessionClaim(id: merged.id, agentType: merged.agentType, attribution: attribution)
    let index = refreshed(session(claim, at: now), policy)
    if let budget = registration.budget, budget != sessions[Int(index)].ownBudget {
      sessions[Int(index)].ownBudget = budget
      takePolicies(index, policy, rearms: true)
    }
    markUnsaved(index)
    return index
  }

  /// Raises a session's ceiling by `count` destinations, and arms its flags again.
  mutating func extend(_ index: Int32, by count: Int, policy: PolicySnapshot) {
    refresh(index, policy)
    sessions[Int(index)].extendedBy += count
    sessions[Int(index)].budgetPolicy?.destinations += count
    sessions[Int(index)].budget.rearm()
    sessions[Int(index)].isUnsaved = true
    markUnsaved(index)
  }

  // MARK: Storing

  /// True when something is not stored yet.
  var hasUnsaved: Bool { !unsaved.isEmpty }

  /// Notes that a session has something to store.
  mutating func markUnsaved(_ index: Int32) {
    sessions[Int(index)].isUnsaved = true
    guard !sessions[Int(index)].isListedUnsaved else { return }
    sessions[Int(index)].isListedUnsaved = true
    unsaved.append(index)
  }

  /// Notes that everything is to be stored again.
  mutating func markAllUnsaved() {
    for index in byID.values {
      sessions[Int(index)].budget.markUnsaved()
      sessions[Int(index)].isMixStored = false
      markUnsaved(index)
    }
  }

  /// Gives out about `limit` changes that are not stored yet. `names` are the categories', by which a mix is stored.
  /// In the order in which sessions changed: one that ended comes before another that began since under its id.
  mutating func takeUnsaved(limit: Int, names: CategoryNames, _ body: (StateChange) -> Void) {
    var left = limit
    var done = 0
    defer { unsaved.removeFirst(done) }
    while left > 0, done < unsaved.count {
      let index = unsaved[done]
      let id = sessions[Int(index)].id
      if sessions[Int(index)].isUnsaved {
        sessions[Int(index)].isUnsaved = false
        sessions[Int(index)].writeMix(names)
        var state = sessions[Int(index)].state
        if state.ended == nil, let registration = registered[id] {
          state.sources = registration.sources
          state.cgroups = registration.cgroups
        }
        body(.session(state))
        left -= 1
      }
      sessions[Int(index)].budget.takeUnsaved(limit: left) { key, record in
        if let record {
          body(.destination(session: id, key: key, record: record))
        } else {
          body(.withdrawn(session: id, key: key))
        }
        left -= 1
      }
      guard !sessions[Int(index)].budget.hasUnsaved else { return }
      done += 1
      sessions[Int(index)].isListedUnsaved = false
      release(index)
    }
  }
}
