/// What orchestrators registered, by session, source and control group. Nothing here takes longer the more there is.
struct Registrations: Sendable {
  private(set) var byID: [String: SessionRegistration] = [:]
  private var sources = NetworkTable<String>()
  private var cgroups: [String: String] = [:]

  subscript(id: String) -> SessionRegistration? { byID[id] }

  /// True for an address that somebody registered.
  func covers(_ address: IPAddress) -> Bool { sources.contains(address) }

  /// The registration that an address falls to: of overlapping ones that with the longest prefix.
  func owner(of address: IPAddress) -> SessionRegistration? { sources.match(address).flatMap { byID[$0.value] } }

  /// Adds to what is registered under the same id, and returns the whole.
  mutating func add(_ registration: SessionRegistration) throws(SessionCommandError) -> SessionRegistration {
    let id = registration.id
    if let known = byID[id], known.agentType != registration.agentType { throw .otherAgentType(known.agentType) }
    for source in registration.sources {
      if let owner = sources.value(ofExactly: source), owner != id { throw .sourceTaken(source, by: owner) }
    }
    for cgroup in registration.cgroups {
      if let owner = cgroups[cgroup], owner != id { throw .cgroupTaken(cgroup, by: owner) }
    }
    guard byID[id] != nil || byID.count < SessionTable.maximumRegistered else { throw .tooMany }
    var merged = byID[id] ?? registration
    merged.sources += registration.sources.filter { !merged.sources.contains($0) }
    merged.cgroups += registration.cgroups.filter { !merged.cgroups.contains($0) }
    enter(merged)
    return merged
  }

  /// Takes up what was registered before a restart, unless the session was registered anew meanwhile.
  mutating func takeUp(_ state: SessionState) {
    guard byID[state.id] == nil, !state.sources.isEmpty || !state.cgroups.isEmpty else { return }
    enter(
      SessionRegistration(id: state.id, agentType: state.agentType, sources: state.sources, cgroups: state.cgroups))
  }

  /// Frees what a session has.
  mutating func remove(_ id: String) {
    guard let registration = byID.removeValue(forKey: id) else { return }
    for source in registration.sources where sources.value(ofExactly: source) == id { sources.remove(source) }
    for cgroup in registration.cgroups where cgroups[cgroup] == id { cgroups[cgroup] = nil }
  }

  private mutating func enter(_ registration: SessionRegistration) {
    byID[registration.id] = registration
    for source in registration.sources { sources.insert(source, registration.id) }
    for cgroup in registration.cgroups where cgroups[cgroup] == nil { cgroups[cgroup] = registration.id }
  }
}
