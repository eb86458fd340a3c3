/// What happens when a session's budget is used up.
public enum BudgetReach: String, Sendable, CaseIterable {
  /// The session is flagged for review and goes on.
  case flag
  /// Besides, destinations not yet contacted are rejected.
  case hold
}

/// The time over which a budget counts.
public enum BudgetWindow: String, Sendable, CaseIterable {
  /// The session's whole life.
  case session
  /// The last 24 hours, rolling.
  case day = "24h"
}

/// A ceiling on distinct external destinations.
public struct BudgetPolicy: Hashable, Sendable {
  /// The ceiling.
  public var destinations: Int
  /// Over what time it counts.
  public var window: BudgetWindow
  /// What reaching it does.
  public var onReach: BudgetReach
  /// Share of the ceiling, 0...1, at which a warning is raised; nil for none.
  public var warnAt: Double?

  /// A budget.
  public init(
    destinations: Int, window: BudgetWindow = .session, onReach: BudgetReach = .flag, warnAt: Double? = nil
  ) {
    self.destinations = destinations
    self.window = window
    self.onReach = onReach
    self.warnAt = warnAt
  }
}

/// A ceiling on bytes sent to external destinations.
public struct UploadBudgetPolicy: Hashable, Sendable {
  /// The ceiling, in bytes of IP packets.
  public var bytes: UInt64
  /// Over what time it counts.
  public var window: BudgetWindow
  /// What reaching it does.
  public var onReach: BudgetReach

  /// A budget.
  public init(bytes: UInt64, window: BudgetWindow = .session, onReach: BudgetReach = .flag) {
    self.bytes = bytes
    self.window = window
    self.onReach = onReach
  }
}

/// Policy for one type of agent.
public struct AgentType: Hashable, Sendable {
  /// Its name in the configuration.
  public var name: String
  /// Its destination budget; nil for none.
  public var budget: BudgetPolicy?
  /// Its upload budget; nil for none.
  public var uploadBudget: UploadBudgetPolicy?
  /// From where on the shape of its traffic is flagged.
  public var shape = ShapePolicy()
  /// How its mix of categories is watched; nil where no baseline is known, and then it is not.
  public var mix: MixPolicy?
  /// What is done about destinations of each category.
  public var categoryActions = CategoryActions()

  /// The type of sessions that nothing attributes.
  public static let unattributedName = "unattributed"

  /// An agent type.
  public init(name: String, budget: BudgetPolicy?, uploadBudget: UploadBudgetPolicy? = nil) {
    self.name = name
    self.budget = budget
    self.uploadBudget = uploadBudget
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
