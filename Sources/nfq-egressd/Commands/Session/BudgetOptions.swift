import ArgumentParser

/// What a budget consists of on a command line, beside its ceiling on destinations, which each command names itself.
struct BudgetOptions: ParsableArguments {
  @Option(help: "Of a budget: the ceiling on bytes sent, such as 500MB.")
  var uploadBudget: ByteCount?

  @Option(help: "Of a budget: over what time it counts, session or 24h.")
  var budgetWindow: AgentType.Budget.Window?

  @Option(help: "Of a budget: what reaching it does, flag or hold.")
  var onReach: AgentType.Budget.OnReach?

  /// True when a window or a reach is given that no ceiling is there for.
  func lacksCeiling(_ destinations: Int?) -> Bool {
    destinations == nil && uploadBudget == nil && (budgetWindow != nil || onReach != nil)
  }

  /// Its wire form; nil when nothing was given.
  func wire(_ destinations: Int?) -> ControlBudget? {
    guard destinations != nil || uploadBudget != nil || budgetWindow != nil || onReach != nil else { return nil }
    return ControlBudget(
      destinations: destinations, uploadBytes: uploadBudget.map { UInt64($0.bytes.magnitude) },
      window: budgetWindow?.rawValue, onReach: onReach?.rawValue)
  }
}
