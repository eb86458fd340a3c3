/// What a packet's session assignment rests on, strongest first. The names stand in events.
public enum Attribution: String, Sendable, CaseIterable {
  /// The sending socket's control group, registered by an orchestrator.
  case registeredCgroup = "registered-cgroup"
  /// The sending socket's control group, by a configured pattern.
  case cgroup = "cgroup"
  /// The rule slot of a `--cgroup`: the socket was gone before anyone could ask.
  case cgroupSlot = "cgroup-slot"
  /// A source address registered by an orchestrator.
  case registeredAddress = "registered-address"
  /// A container's address, from the runtime's API.
  case container = "container"
  /// A configured source address or range.
  case address = "address"
  /// A known local resolver's own upstream question that no session's question explains.
  case resolver = "resolver"
  /// Nothing: a session of its own for each source address.
  case unattributed = "unattributed"
}
