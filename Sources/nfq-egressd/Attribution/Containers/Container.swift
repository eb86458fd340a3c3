import PacketInspect

/// A container that lives, as far as its network and its session go.
struct Container: Sendable, Equatable {
  /// The runtime's full id.
  var id: String
  /// Its name, without the slash that the API puts before it.
  var name: String
  /// The session that its packets belong to: its label's value, else its name and short id.
  var session: String
  /// Its agent type: its label's value, else `unattributed`.
  var agentType: String
  /// True when the session is the label's.
  var isLabelled: Bool
  /// Its addresses in all its networks. Empty with the host's network, with none, and with that of another container.
  var addresses: [ContainerAddress]
  /// The container whose network it shares (a pod's members do): its packets have that one's addresses.
  var sharesNetworkOf: String?

  /// The first twelve digits, which people know a container by.
  var shortID: String { String(id.prefix(12)) }
}

/// One address of a container.
struct ContainerAddress: Sendable, Equatable {
  /// The network's name.
  var network: String
  /// Address, hardware address, and the host's interface where the network's gateway is this host's.
  var leased: LeasedAddress
}

/// A network that containers have addresses of.
struct ContainerNetwork: Sendable, Equatable {
  var name: String
  var subnet: IPNetwork
  /// The subnet's gateway: on a bridge an address of this host.
  var gateway: IPAddress?
}

/// What happened to containers.
enum ContainerChange: Sendable, Equatable {
  /// The container began to live, or its addresses or labels changed: this is all of it.
  case started(Container)
  /// It is gone. `at` is when the runtime says so, or when it was found missing.
  case ended(id: String, at: Timestamp)
  /// The networks of containers, all of them: at first, and when they change.
  case networks([ContainerNetwork])
}

/// The names of the labels that tell session and agent type.
struct ContainerLabelNames: Sendable, Equatable {
  var session = "egress.session"
  var type = "egress.agent-type"
}

/// What a container's labels and name say about its session.
///
/// Whoever starts a container chooses its labels: a value is taken only in the form that ids have everywhere here, and
/// never as one of the names that stand for what nobody could attribute.
struct ContainerIdentity: Equatable {
  var session: String
  var agentType: String
  var isLabelled: Bool
  /// What was odd, for the log; empty as a rule.
  var warnings: [String] = []

  init(id: String, name: String, labels: [String: String], names: ContainerLabelNames) {
    let shown = SessionWord.isUsable(name) ? name : String(id.prefix(12))
    session = Self.fallback(id: id, name: name)
    isLabelled = false
    if let label = labels[names.session] {
      if SessionWord.isUsable(label), !Self.isReserved(label) {
        session = label
        isLabelled = true
      } else {
        warnings.append(
          "container \(shown): \(names.session) is \(quoted(label)), which cannot be a session's id; using \(session)")
      }
    }
    agentType = AgentType.unattributedName
    if let label = labels[names.type] {
      if SessionWord.isUsable(label) {
        agentType = label
      } else {
        warnings.append(
          "container \(shown): \(names.type) is \(quoted(label)), which cannot be an agent type; using \(agentType)")
      }
    }
  }

  /// The id of a session that no label names: name and short id, as in `worker-3f9a04c1d2e7`. Not the name alone: the
  /// next container of that name is another session.
  static func fallback(id: String, name: String) -> String {
    let short = id.prefix(12)
    guard SessionWord.isUsable(name), !isReserved(name) else { return "container-\(short)" }
    return "\(name.prefix(SessionWord.maximumLength - short.utf8.count - 1))-\(short)"
  }

  /// Ids of sessions that the daemon makes itself.
  private static func isReserved(_ text: String) -> Bool {
    text == "resolver" || text.hasPrefix(AgentType.unattributedName)
  }
}
