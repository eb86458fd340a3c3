/// What makes a cgroup a session: configured patterns and registered paths. Pure.
struct CgroupRules: Sendable {
  /// Matches that are remembered; beyond it they are worked out anew.
  static let maximumRemembered = 4096

  /// A session that was registered with its cgroup's path.
  struct Registration: Hashable, Sendable {
    var session: String
    var agentType: String
  }

  /// A session found by its cgroup's path.
  struct Match: Hashable, Sendable {
    /// The session's id.
    var session: String
    /// Its agent type, which exists.
    var agentType: String
    /// The session's own cgroup; processes may be in descendants of it.
    var path: String
    /// The captured type, when no such type is configured.
    var unknownType: String?
  }

  private let patterns: [CgroupSession]
  private let agentTypes: Set<String>
  private var registrations: [String: Registration] = [:]
  private var remembered: [String: Match?] = [:]

  /// Rules of a configuration.
  init(patterns: [CgroupSession], agentTypes: Set<String>) {
    self.patterns = patterns
    self.agentTypes = agentTypes
  }

  /// The rules of another configuration, with what was registered.
  func reconfigured(patterns: [CgroupSession], agentTypes: Set<String>) -> CgroupRules {
    var rules = CgroupRules(patterns: patterns, agentTypes: agentTypes)
    rules.registrations = registrations
    return rules
  }

  /// How many sessions are registered.
  var registrationCount: Int { registrations.count }

  /// Registers a session at a cgroup's path, in place of the one there.
  mutating func register(_ registration: Registration, at path: String) {
    registrations[path] = registration
    remembered = [:]
  }

  /// Ends the registration at a path.
  mutating func unregister(_ path: String) {
    registrations[path] = nil
    remembered = [:]
  }

  /// The session whose cgroup is the path or an ancestor of it. The deepest cgroup counts; of a registration and a
  /// pattern for the same cgroup the registration; of several patterns the first that matches.
  mutating func match(_ path: String) -> Match? {
    if let known = remembered[path] { return known }
    let result = find(path)
    if remembered.count < Self.maximumRemembered { remembered[path] = .some(result) }
    return result
  }

  private func find(_ path: String) -> Match? {
    var captured: (capture: CgroupCapture, type: String?)?
    for entry in patterns {
      guard let capture = entry.pattern.match(path) else { continue }
      captured = (capture, entry.agentType ?? capture.type)
      break
    }
    if let (at, depth, registration) = registration(covering: path), depth >= captured?.capture.depth ?? 0 {
      return match(registration.session, registration.agentType, at)
    }
    return captured.map { match($0.capture.session, $0.type, $0.capture.path) }
  }

  private func match(_ session: String, _ type: String?, _ path: String) -> Match {
    guard let type, !agentTypes.contains(type) else {
      return Match(session: session, agentType: type ?? AgentType.unattributedName, path: path, unknownType: nil)
    }
    return Match(session: session, agentType: AgentType.unattributedName, path: path, unknownType: type)
  }

  private func registration(covering path: String) -> (path: String, depth: Int, registration: Registration)? {
    guard !registrations.isEmpty else { return nil }
    var rest = path[...]
    while rest.count > 1 {
      if let found = registrations[String(rest)] {
        return (String(rest), rest.utf8.count { $0 == 0x2f }, found)
      }
      guard let slash = rest.lastIndex(of: "/") else { return nil }
      rest = rest[..<slash]
    }
    return nil
  }
}
