/// Every key that a configuration file may have, with its default as the documentation writes it.
///
/// `*` stands for a name of the operator's choice, `[]` for the members of a list. Keys of parts that are not built
/// yet are here too, so that using one is told apart from a spelling mistake.
enum ConfigurationSchema {
  struct Key: Sendable {
    /// As in `agentTypes.*.budget.destinations`.
    let path: String
    /// The default; "required" when there is none, empty for a key that only holds others.
    let fallback: String
    /// False while the part that would obey the key does not exist.
    let isBuilt: Bool
  }

  static let keys: [Key] =
    built.map { Key(path: $0.0, fallback: $0.1, isBuilt: true) }
    + notBuilt.map { Key(path: $0, fallback: "", isBuilt: false) }

  private static let built: [(String, String)] = [
    ("mode", "enforce"),
    ("queues", ""),
    ("queues.first", "0"),
    ("queues.count", "1"),
    ("queues.length", "8192"),
    ("queues.offload", "decided"),
    ("marks", ""),
    ("marks.mask", "0xff000000"),
    ("rules", ""),
    ("rules.repair", "recorded"),
    ("rules.directory", "/run/nfq-egressd"),
    ("onFailure", ""),
    ("onFailure.daemonAbsent", "closed"),
    ("onFailure.queueFull", "closed"),
    ("onFailure.malformed", "accept"),
    ("onFailure.helloIncomplete", "reject"),
    ("onFailure.midstream", "accept"),
    ("onFailure.flowTableFull", "accept"),
    ("onFailure.eventBacklog", "drop-events"),
    ("onFailure.pendingAttribution", "hold"),
    ("limits", ""),
    ("limits.flows", "262144"),
    ("limits.namesPerSession", "4096"),
    ("limits.eventRing", "65536"),
    ("limits.heldPackets", "256"),
    ("internalNetworks", "[10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7]"),
    ("internalNames", "[local, lan, internal, cluster.local, in-addr.arpa, ip6.arpa]"),
    ("trustedResolvers", "[system, well-known]"),
    ("denyLists", "[{name: builtin-metadata, builtin: cloud-metadata, action: reject}]"),
    ("denyLists[].name", "required"),
    ("denyLists[].path", "required, or builtin"),
    ("denyLists[].format", "required with path"),
    ("denyLists[].builtin", "required, or path"),
    ("denyLists[].action", "reject"),
    ("denyLists[].maxAge", "none"),
    ("denyExceptions", "[]"),
    ("categories", "[{builtin: default}]"),
    ("categories[].builtin", "required, or category"),
    ("categories[].category", "required, or builtin"),
    ("categories[].path", "required with category"),
    ("categories[].format", "required with category"),
    ("agentTypes", "{}"),
    ("agentTypes.*", ""),
    ("agentTypes.*.budget", ""),
    ("agentTypes.*.budget.destinations", "200; 50 for unattributed"),
    ("agentTypes.*.budget.window", "session"),
    ("agentTypes.*.budget.onReach", "flag"),
    ("agentTypes.*.budget.warnAt", "0.8"),
    ("agentTypes.*.uploadBudget", ""),
    ("agentTypes.*.uploadBudget.bytes", "required"),
    ("agentTypes.*.uploadBudget.window", "session"),
    ("agentTypes.*.uploadBudget.onReach", "flag"),
    ("agentTypes.*.categoryActions", ""),
    ("agentTypes.*.categoryActions.*", "accept"),
    ("agentTypes.*.categories", ""),
    ("agentTypes.*.categories.baseline", "required"),
    ("agentTypes.*.categories.baseline.*", ""),
    ("agentTypes.*.categories.learn", "none"),
    ("agentTypes.*.categories.contactGap", "1m"),
    ("agentTypes.*.categories.minimumContacts", "30"),
    ("agentTypes.*.categories.minimumDistance", "0.15"),
    ("agentTypes.*.categories.concentration", "50"),
    ("agentTypes.*.categories.falsePositiveRate", "0.01"),
    ("agentTypes.*.categories.onShift", "flag"),
    ("agentTypes.*.shape", ""),
    ("agentTypes.*.shape.encodedTokenLength", "64"),
    ("agentTypes.*.shape.encodedHostBytes", "4096"),
    ("agentTypes.*.shape.uniqueLabels", "200"),
    ("agentTypes.*.shape.labelWindow", "1h"),
    ("agentTypes.*.shape.uploadBytes", "50MB"),
    ("agentTypes.*.shape.uploadRatio", "5.0"),
    ("agentTypes.*.shape.uploadVolume", "500MB"),
    ("agentTypes.*.shape.dripBytes", "1MB"),
    ("agentTypes.*.shape.dripUploads", "200"),
    ("agentTypes.*.shape.beaconContacts", "12"),
    ("agentTypes.*.shape.beaconSpan", "1h"),
    ("agentTypes.*.shape.beaconJitter", "0.1"),
    ("agentTypes.*.shape.protocols", "[dns, tls, quic, http, ssh, ntp, stun, icmp]"),
    ("agentTypes.*.shape.ports", "[]"),
    ("agentTypes.*.shape.services", "[]"),
    ("privacy", ""),
    ("privacy.redactLabels", "encoded"),
    ("sessions", ""),
    ("sessions.idleEnd", "1h"),
    ("sessions.addresses", "[]"),
    ("sessions.addresses[].source", "required"),
    ("sessions.addresses[].session", "required"),
    ("sessions.addresses[].agentType", "required"),
    ("sessions.containers", ""),
    ("sessions.containers.socket", "required"),
    ("sessions.containers.sessionLabel", "egress.session"),
    ("sessions.containers.typeLabel", "egress.agent-type"),
    ("sessions.cgroups", "[]"),
    ("sessions.cgroups[].pattern", "required"),
    ("sessions.cgroups[].agentType", "required without {type}"),
    ("control", ""),
    ("control.socket", "/run/nfq-egressd/control.sock"),
    ("control.group", "nfq-egressd"),
    ("store", ""),
    ("store.path", "/var/lib/nfq-egressd/state.sqlite"),
    ("store.durability", "relaxed"),
    ("store.keepEnded", "30d"),
    ("events", ""),
    ("events.path", "/var/log/nfq-egressd/eve.json"),
    ("metrics", ""),
    ("metrics.listen", "none"),
  ]

  /// Keys of parts to come; none at present.
  private static let notBuilt: [String] = []

  /// The keys of the mapping at `path` ("" is the top level), by their last part; "*" when any name is allowed.
  static func children(of path: String) -> [String: Key] { childrenByParent[path] ?? [:] }

  private static let childrenByParent: [String: [String: Key]] = {
    var result: [String: [String: Key]] = [:]
    for key in keys {
      let cut = key.path.lastIndex(of: ".")
      let parent = cut.map { String(key.path[..<$0]) } ?? ""
      let name = cut.map { String(key.path[key.path.index(after: $0)...]) } ?? key.path
      result[parent, default: [:]][name] = key
    }
    return result
  }()
}
