/// What the living sessions of one agent type come to.
public struct TypeFigures: Sendable, Hashable {
  /// The agent type's name.
  public var agentType: String
  /// Sessions that live.
  public var sessions: UInt64 = 0
  /// Of those with a budget of destinations: how many have used which part of it, by `BudgetUse`.
  public var budgetUse: [BudgetUse: UInt64] = [:]

  /// Nothing counted yet.
  init(agentType: String) { self.agentType = agentType }

  mutating func add(_ session: AgentSession) {
    sessions &+= 1
    if let use = BudgetUse(session.overview) { budgetUse[use, default: 0] &+= 1 }
  }
}

/// The part of its budget that a session has used.
public enum BudgetUse: String, Sendable, CaseIterable {
  /// Less than half.
  case low = "below-50%"
  /// From half on.
  case half = "50-80%"
  /// From eight tenths on.
  case high = "80-100%"
  /// All of it.
  case reached

  /// That of a session; nil without a ceiling.
  init?(_ session: SessionOverview) {
    guard let ceiling = session.ceiling else { return nil }
    self =
      session.destinations >= ceiling
      ? .reached
      : session.destinations &* 10 >= ceiling &* 8 ? .high : session.destinations &* 2 >= ceiling ? .half : .low
  }
}
