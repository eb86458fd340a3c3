/// What sessions are judged by: kept with each, and renewed once an epoch.
extension SessionTable {
  /// `index`, once its session has the present policy.
  @inline(__always)
  mutating func refreshed(_ index: Int32, _ policy: PolicySnapshot) -> Int32 {
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

  /// Gives a session the budgets and overlays of `policy`; with `rearms`, a budget that changed flags anew.
  mutating func takePolicies(_ index: Int32, _ policy: PolicySnapshot, rearms: Bool) {
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
}
