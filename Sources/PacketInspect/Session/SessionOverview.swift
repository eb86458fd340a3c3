/// A session as operators see it: who it is, what it has done, how much of its budgets is used.
public struct SessionOverview: Sendable, Hashable {
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
  /// When it ended; nil while it lives.
  public var ended: Timestamp?
  /// Distinct destinations within the budget's window.
  public var destinations: Int
  /// The ceiling, extensions included; nil for none.
  public var ceiling: Int?
  /// What reaching the ceiling does.
  public var onReach: BudgetReach?
  /// Destinations by which a reviewer or operator extended the budget.
  public var extendedBy: Int
  /// What was counted.
  public var figures: SessionFigures
}

/// What is counted of a session.
public struct SessionFigures: Sendable, Hashable {
  /// Flows begun.
  public var flows: UInt64 = 0
  /// Bytes (IP) sent, all destinations.
  public var bytesOut: UInt64 = 0
  /// Bytes (IP) received, where replies are seen.
  public var bytesIn: UInt64 = 0
  /// Flows and questions refused, or that enforcement would have refused.
  public var refused: UInt64 = 0
  /// Flags raised.
  public var flags: UInt64 = 0

  /// Nothing counted yet.
  public init() {}
}

/// A session with its destinations.
public struct SessionDetail: Sendable {
  /// The session.
  public var overview: SessionOverview
  /// Its destinations, latest first.
  public var destinations: [(key: DestinationKey, record: DestinationRecord)]
  /// The names of the categories in `destinations`.
  public var categoryNames = CategoryNames()
  /// The addresses and ranges registered for it.
  public var sources: [IPNetwork]
  /// The control groups registered for it.
  public var cgroups: [String]
  /// Its mix of categories; nil where its type's is not watched.
  public var mix: MixOverview?
}

/// What an orchestrator says of a session it starts.
public struct SessionRegistration: Sendable, Hashable {
  /// Its id.
  public var id: String
  /// Its agent type's name.
  public var agentType: String
  /// Source addresses or ranges that are its own.
  public var sources: [IPNetwork]
  /// Control groups that are its own, as paths below the cgroup v2 mount.
  public var cgroups: [String]
  /// Budgets of its own in the place of its type's; nil leaves those that it has.
  public var budget: BudgetOverride?

  /// A registration.
  public init(
    id: String, agentType: String, sources: [IPNetwork] = [], cgroups: [String] = [], budget: BudgetOverride? = nil
  ) {
    self.id = id
    self.agentType = agentType
    self.sources = sources
    self.cgroups = cgroups
    self.budget = budget
  }
}

/// Why a command about a session cannot be carried out.
public enum SessionCommandError: Error, Sendable, Hashable {
  /// No such session lives.
  case unknownSession(String)
  /// The agent type is not configured.
  case unknownAgentType(String)
  /// The id is registered with another agent type.
  case otherAgentType(String)
  /// The source belongs to another registered session.
  case sourceTaken(IPNetwork, by: String)
  /// The control group belongs to another registered session.
  case cgroupTaken(String, by: String)
  /// Too many sessions are registered.
  case tooMany
  /// Nothing is expected of the mix of this agent type.
  case noBaseline(String)
  /// The session has made fewer contacts than say anything of its mix.
  case noContacts(String)
}
