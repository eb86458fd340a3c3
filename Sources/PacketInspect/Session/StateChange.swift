/// What a restart must not undo, as values: made on the packet path, written elsewhere.
public enum StateChange: Sendable, Hashable {
  /// A session began, changed or ended.
  case session(SessionState)
  /// A destination is one of a session's, or was contacted again.
  case destination(session: String, key: DestinationKey, record: DestinationRecord)
  /// A destination was taken back: the flow that put it there named another one after all.
  case withdrawn(session: String, key: DestinationKey)
  /// A flag was raised on a session. Boxed: changes are moved about, and few are flags.
  indirect case flag(RaisedFlag)
}

/// A flag as it is kept for review.
public struct RaisedFlag: Sendable, Hashable {
  /// The session's id.
  public var session: String
  /// When.
  public var time: Timestamp
  /// The flag.
  public var flag: ReviewFlag

  /// A flag of a session.
  public init(session: String, time: Timestamp, flag: ReviewFlag) {
    self.session = session
    self.time = time
    self.flag = flag
  }
}

/// A session without its destinations.
public struct SessionState: Sendable, Hashable {
  /// Its id.
  public var id: String
  /// Its agent type's name.
  public var agentType: String
  /// What its identity rests on.
  public var attribution: Attribution
  /// First packet.
  public var started: Timestamp
  /// Latest new flow or contact.
  public var lastSeen: Timestamp
  /// True when the budget's warning was raised.
  public var warned: Bool
  /// True when the budget was reached and flagged.
  public var reached: Bool
  /// Destinations beyond what is remembered.
  public var overflow: UInt64
  /// When it ended; nil while it lives.
  public var ended: Timestamp?
  /// Destinations by which its budget was extended.
  public var extendedBy: Int
  /// What was counted.
  public var figures: SessionFigures
  /// Source addresses or ranges registered for it.
  public var sources: [IPNetwork]
  /// Control groups registered for it.
  public var cgroups: [String]
  /// Budgets of its own, given at its registration.
  public var budget: BudgetOverride?
  /// Its mix of categories (`CategoryMix.bytes`); empty for none.
  public var mix: [UInt8]

  /// A session's state.
  public init(
    id: String, agentType: String, attribution: Attribution, started: Timestamp, lastSeen: Timestamp,
    ended: Timestamp? = nil, warned: Bool = false, reached: Bool = false, overflow: UInt64 = 0, extendedBy: Int = 0,
    figures: SessionFigures = SessionFigures(), sources: [IPNetwork] = [], cgroups: [String] = [],
    budget: BudgetOverride? = nil, mix: [UInt8] = []
  ) {
    self.id = id
    self.agentType = agentType
    self.attribution = attribution
    self.started = started
    self.lastSeen = lastSeen
    self.warned = warned
    self.reached = reached
    self.overflow = overflow
    self.ended = ended
    self.extendedBy = extendedBy
    self.figures = figures
    self.sources = sources
    self.cgroups = cgroups
    self.budget = budget
    self.mix = mix
  }
}

/// A session as it is taken up again after a restart.
public struct StoredSession: Sendable, Hashable {
  /// The session itself.
  public var state: SessionState
  /// Its destinations.
  public var destinations: [DestinationKey: DestinationRecord]

  /// A stored session.
  public init(state: SessionState, destinations: [DestinationKey: DestinationRecord]) {
    self.state = state
    self.destinations = destinations
  }
}
