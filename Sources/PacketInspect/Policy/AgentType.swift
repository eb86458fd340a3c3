/// What happens when a session's budget is used up.
public enum BudgetReach: String, Sendable, CaseIterable {
  /// The session is flagged for review and goes on.
  case flag
  /// Besides, destinations not yet contacted are rejected.
  case hold
}

/// A ceiling on distinct external destinations.
public struct BudgetPolicy: Hashable, Sendable {
  /// The ceiling.
  public var destinations: Int
  /// What reaching it does.
  public var onReach: BudgetReach
  /// Share of the ceiling, 0...1, at which a warning is raised; nil for none.
  public var warnAt: Double?

  /// A budget.
  public init(destinations: Int, onReach: BudgetReach = .flag, warnAt: Double? = nil) {
    self.destinations = destinations
    self.onReach = onReach
    self.warnAt = warnAt
  }
}

/// Policy for one type of agent.
public struct AgentType: Hashable, Sendable {
  /// Its name in the configuration.
  public var name: String
  /// Its destination budget; nil for none.
  public var budget: BudgetPolicy?

  /// The type of sessions that nothing attributes.
  public static let unattributedName = "unattributed"

  /// An agent type.
  public init(name: String, budget: BudgetPolicy?) {
    self.name = name
    self.budget = budget
  }
}

/// A configured session: whose address is it.
public struct ConfiguredSession: Hashable, Sendable {
  /// The session's id.
  public var id: String
  /// The name of its agent type.
  public var agentType: String

  /// A configured session.
  public init(id: String, agentType: String) {
    self.id = id
    self.agentType = agentType
  }
}
