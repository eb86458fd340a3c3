/// Sessions that orchestrators registered.
extension SessionTable {
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
    forgetAddresses()
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
    markUnsaved(index)
  }
}
