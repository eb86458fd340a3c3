/// What a packet's session assignment rests on. The names stand in events.
public enum Attribution: String, Sendable, CaseIterable {
  /// A configured source address or range.
  case address = "address"
  /// Nothing: a session of its own for each source address.
  case unattributed = "unattributed"
}

/// One agent session: who it is and what it has done so far.
public struct AgentSession: Sendable {
  /// Its id, as configured, or `unattributed-ADDRESS`.
  public let id: String
  /// Its agent type's name.
  public var agentType: String
  /// What its identity rests on.
  public let attribution: Attribution
  /// First packet.
  public let started: Timestamp
  /// Latest new flow or contact.
  public var lastSeen: Timestamp
  /// Its destinations against its budget.
  public var budget = DestinationBudget()
  /// The policy of its type, looked up once an epoch.
  public var budgetPolicy: BudgetPolicy?
  /// The epoch of `budgetPolicy`.
  var epoch: UInt32
  /// Deny-list entries that were flagged: a retry loop is one flag. Beyond the cap no more are raised.
  private var flaggedEntries: Set<String> = []

  /// Deny-list entries that are remembered as flagged.
  static let maximumFlaggedEntries = 256

  init(id: String, agentType: String, attribution: Attribution, started: Timestamp) {
    self.id = id
    self.agentType = agentType
    self.attribution = attribution
    self.started = started
    lastSeen = started
    epoch = 0
  }

  /// True the first time an entry is hit.
  mutating func isFirstDenyHit(_ match: DenyMatch) -> Bool {
    flaggedEntries.count < Self.maximumFlaggedEntries && flaggedEntries.insert(match.list + "\n" + match.entry).inserted
  }
}

/// All sessions, and the way from a source address to one of them.
public struct SessionTable: Sendable {
  /// Sessions kept apart for addresses that nothing attributes. An agent that sprays source addresses would
  /// otherwise grow the table at will; beyond this they share one session.
  public static let maximumUnattributed = 16_384
  /// Destinations that these sessions remember together: an agent with many addresses and names must not multiply
  /// the two caps. Beyond it they are counted, not remembered.
  public static let maximumUnattributedDestinations = 262_144
  /// The shared session's id.
  public static let overflowID = "unattributed-overflow"

  private var sessions: [AgentSession] = []
  private var byID: [String: Int32] = [:]
  private var byAddress: [IPAddress: Int32] = [:]
  private var byAddressEpoch: UInt32 = 0
  private var unattributedCount = 0
  private var unattributedDestinations = 0

  /// No session yet.
  public init() {}

  /// Number of sessions.
  public var count: Int { sessions.count }

  /// The session at an index that `index(for:policy:at:)` gave.
  public subscript(index: Int32) -> AgentSession {
    // Not `_read`: Swift 6.3 without optimisation destroys what it yields after the access has ended.
    get { sessions[Int(index)] }
    _modify { yield &sessions[Int(index)] }
  }

  /// The session whose packets come from `source`, made when it is new.
  public mutating func index(for source: IPAddress, policy: PolicySnapshot, at now: Timestamp) -> Int32 {
    if byAddressEpoch != policy.epoch {
      // Sources may have moved to other sessions; the sessions themselves stay.
      byAddress.removeAll(keepingCapacity: true)
      byAddressEpoch = policy.epoch
    }
    let address = source.canonical
    if let known = byAddress[address] {
      refresh(known, policy)
      return known
    }
    let index: Int32
    if let configured = policy.parts.sessionSources.match(address)?.value {
      index = session(configured.id, type: configured.agentType, .address, policy, now)
    } else {
      var id = "\(AgentType.unattributedName)-\(address)"
      if byID[id] == nil {
        if unattributedCount >= Self.maximumUnattributed { id = Self.overflowID } else { unattributedCount += 1 }
      }
      index = session(id, type: AgentType.unattributedName, .unattributed, policy, now)
    }
    if byAddress.count < 4 * Self.maximumUnattributed { byAddress[address] = index }
    refresh(index, policy)
    return index
  }

  /// Takes a contact into a session's budget, which remembers at most `limit` destinations.
  public mutating func contact(
    _ index: Int32, _ key: DestinationKey, _ evidence: Evidence, limit: Int, at now: Timestamp
  ) -> BudgetOutcome {
    let place = Int(index)
    let isShared = sessions[place].attribution == .unattributed
    let isFull = isShared && unattributedDestinations >= Self.maximumUnattributedDestinations
    let before = sessions[place].budget.used
    let outcome = sessions[place].budget.contact(
      key, evidence: evidence, policy: sessions[place].budgetPolicy, limit: isFull ? 0 : limit, at: now)
    if isShared { unattributedDestinations += sessions[place].budget.used - before }
    return outcome
  }

  /// Takes back a destination that only one nameless flow had put there.
  public mutating func withdraw(_ index: Int32, _ key: DestinationKey) {
    let before = sessions[Int(index)].budget.used
    sessions[Int(index)].budget.withdraw(key)
    if sessions[Int(index)].attribution == .unattributed {
      unattributedDestinations += sessions[Int(index)].budget.used - before
    }
  }

  private mutating func session(
    _ id: String, type: String, _ attribution: Attribution, _ policy: PolicySnapshot, _ now: Timestamp
  ) -> Int32 {
    if let known = byID[id] {
      if sessions[Int(known)].agentType != type {
        sessions[Int(known)].agentType = type
        sessions[Int(known)].epoch = 0
      }
      return known
    }
    let index = Int32(sessions.count)
    sessions.append(AgentSession(id: id, agentType: type, attribution: attribution, started: now))
    byID[id] = index
    return index
  }

  private mutating func refresh(_ index: Int32, _ policy: PolicySnapshot) {
    guard sessions[Int(index)].epoch != policy.epoch else { return }
    let budget = policy.agentType(sessions[Int(index)].agentType).budget
    if budget != sessions[Int(index)].budgetPolicy {
      sessions[Int(index)].budgetPolicy = budget
      sessions[Int(index)].budget.rearm()
    }
    sessions[Int(index)].epoch = policy.epoch
  }
}
