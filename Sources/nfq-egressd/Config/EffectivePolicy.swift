import PacketInspect

/// Writes a configuration as YAML with every key. Read again, it gives the same configuration.
struct EffectivePolicy {
  private var lines: [String] = []

  /// The text, ending with a newline.
  static func yaml(_ configuration: Configuration) -> String {
    var writer = EffectivePolicy()
    writer.write(configuration)
    return writer.lines.joined(separator: "\n") + "\n"
  }

  private mutating func write(_ configuration: Configuration) {
    add(0, "mode: \(configuration.mode.rawValue)")
    add(0, "queues:")
    add(1, "first: \(configuration.queues.first)")
    add(1, "count: \(configuration.queues.count)")
    add(1, "length: \(configuration.queues.length)")
    add(1, "offload: \(configuration.queues.offload.rawValue)")
    add(0, "marks:")
    add(1, "mask: 0x\(String(configuration.marks.mask, radix: 16))")
    add(0, "rules:")
    switch configuration.rules.repair {
    case .recorded: add(1, "repair: recorded")
    case .off: add(1, "repair: none")
    case .script(let path): add(1, "repair: \(scalar(path))")
    }
    add(1, "directory: \(scalar(configuration.rules.directory))")
    add(0, "onFailure:")
    add(1, "daemonAbsent: \(configuration.onFailure.daemonAbsent.rawValue)")
    add(1, "queueFull: \(configuration.onFailure.queueFull.rawValue)")
    add(1, "malformed: \(configuration.onFailure.malformed.word)")
    add(1, "helloIncomplete: \(configuration.onFailure.helloIncomplete.word)")
    add(1, "midstream: \(configuration.onFailure.midstream.word)")
    add(1, "flowTableFull: \(configuration.onFailure.flowTableFull.word)")
    add(1, "eventBacklog: \(configuration.onFailure.eventBacklog.rawValue)")
    add(1, "pendingAttribution: \(configuration.onFailure.pendingAttribution.rawValue)")
    add(0, "limits:")
    add(1, "flows: \(configuration.limits.flows)")
    add(1, "namesPerSession: \(configuration.limits.namesPerSession)")
    add(1, "eventRing: \(configuration.limits.eventRing)")
    add(1, "heldPackets: \(configuration.limits.heldPackets)")
    list("internalNetworks", configuration.internalNetworks.map(\.shortText))
    list("internalNames", configuration.internalNames.map(\.text))
    list("trustedResolvers", configuration.trustedResolvers.map(\.description))
    writeDenyLists(configuration.denyLists)
    list("denyExceptions", configuration.denyExceptions.map(\.description))
    writeCategories(configuration.categories)
    add(0, "agentTypes:")
    for (name, type) in configuration.agentTypes.sorted(by: { $0.key < $1.key }) {
      add(1, "\(scalar(name)):")
      add(2, "budget:")
      add(3, "destinations: \(type.budget.destinations)")
      add(3, "window: \(type.budget.window.rawValue)")
      add(3, "onReach: \(type.budget.onReach.rawValue)")
      add(3, "warnAt: \(type.budget.warnAt)")
      if let uploads = type.uploadBudget {
        add(2, "uploadBudget:")
        add(3, "bytes: \(uploads.bytes)")
        add(3, "window: \(uploads.window.rawValue)")
        add(3, "onReach: \(uploads.onReach.rawValue)")
      }
      if !type.categoryActions.isEmpty { add(2, "categoryActions:") }
      for (category, action) in type.categoryActions.sorted(by: { $0.key < $1.key }) {
        add(3, "\(scalar(category)): \(action.name)")
      }
      if let mix = type.categories { write(mix) }
      write(type.shape)
    }
    writeSessions(configuration.sessions)
    add(0, "privacy:")
    add(1, "redactLabels: \(configuration.privacy.redactLabels.rawValue)")
    add(0, "control:")
    add(1, "socket: \(scalar(configuration.control.socket))")
    add(1, "group: \(scalar(configuration.control.group))")
    add(0, "store:")
    add(1, "path: \(configuration.store.path.map { scalar($0) } ?? "none")")
    add(1, "durability: \(configuration.store.durability.rawValue)")
    add(1, "keepEnded: \(configuration.store.keepEnded?.description ?? "never")")
    add(0, "events:")
    add(1, "path: \(scalar(configuration.events.path))")
    add(0, "metrics:")
    add(1, "listen: \(configuration.metrics.listen.map { scalar($0.description) } ?? "none")")
  }

  private mutating func write(_ mix: AgentType.Mix) {
    add(2, "categories:")
    add(3, "baseline:")
    for (category, share) in mix.baseline.sorted(by: { $0.key < $1.key }) { add(4, "\(scalar(category)): \(share)") }
    add(3, "learn: \(mix.learn.rawValue)")
    add(3, "contactGap: \(mix.contactGap)")
    add(3, "minimumContacts: \(mix.minimumContacts)")
    add(3, "minimumDistance: \(mix.minimumDistance)")
    add(3, "concentration: \(mix.concentration)")
    add(3, "falsePositiveRate: \(mix.falsePositiveRate)")
    add(3, "onShift: \(mix.onShift.rawValue)")
  }

  private mutating func write(_ shape: AgentType.Shape) {
    add(2, "shape:")
    add(3, "encodedTokenLength: \(shape.encodedTokenLength)")
    add(3, "encodedHostBytes: \(shape.encodedHostBytes)")
    add(3, "uniqueLabels: \(shape.uniqueLabels)")
    add(3, "labelWindow: \(shape.labelWindow)")
    add(3, "uploadBytes: \(shape.uploadBytes)")
    add(3, "uploadRatio: \(shape.uploadRatio)")
    add(3, "uploadVolume: \(shape.uploadVolume)")
    add(3, "dripBytes: \(shape.dripBytes)")
    add(3, "dripUploads: \(shape.dripUploads)")
    add(3, "beaconContacts: \(shape.beaconContacts)")
    add(3, "beaconSpan: \(shape.beaconSpan)")
    add(3, "beaconJitter: \(shape.beaconJitter)")
    add(3, "protocols: [\(shape.protocols.joined(separator: ", "))]")
    add(3, "ports: [\(shape.ports.map { "\($0)" }.joined(separator: ", "))]")
    add(3, "services: [\(shape.services.map { scalar($0.text) }.joined(separator: ", "))]")
  }

  private mutating func writeDenyLists(_ lists: [DenyListSource]) {
    add(0, lists.isEmpty ? "denyLists: []" : "denyLists:")
    for source in lists {
      add(1, "- name: \(scalar(source.name))")
      switch source.origin {
      case .builtin(let list): add(2, "builtin: \(list.rawValue)")
      case .file(let path, let format):
        add(2, "path: \(scalar(path))")
        add(2, "format: \(format.rawValue)")
      }
      add(2, "action: \(source.action.word)")
      if let maxAge = source.maxAge { add(2, "maxAge: \(maxAge)") }
    }
  }

  private mutating func writeCategories(_ sources: [CategorySource]) {
    add(0, sources.isEmpty ? "categories: []" : "categories:")
    for source in sources {
      switch source {
      case .builtin: add(1, "- builtin: \(CategorySource.builtinName)")
      case .file(let category, let path, let format):
        add(1, "- category: \(scalar(category))")
        add(2, "path: \(scalar(path))")
        add(2, "format: \(format.rawValue)")
      }
    }
  }

  private mutating func writeSessions(_ sessions: Configuration.Sessions) {
    add(0, "sessions:")
    add(1, "idleEnd: \(sessions.idleEnd?.description ?? "never")")
    add(1, sessions.addresses.isEmpty ? "addresses: []" : "addresses:")
    for entry in sessions.addresses {
      add(2, "- source: \(scalar(entry.source.shortText))")
      add(3, "session: \(scalar(entry.session))")
      add(3, "agentType: \(scalar(entry.agentType))")
    }
    add(1, sessions.cgroups.isEmpty ? "cgroups: []" : "cgroups:")
    for entry in sessions.cgroups {
      add(2, "- pattern: \(scalar(entry.pattern.text))")
      if let type = entry.agentType { add(3, "agentType: \(scalar(type))") }
    }
    if let source = sessions.containers {
      add(1, "containers:")
      add(2, "socket: \(scalar(source.socket))")
      add(2, "sessionLabel: \(scalar(source.labels.session))")
      add(2, "typeLabel: \(scalar(source.labels.type))")
    }
  }

  private mutating func list(_ key: String, _ texts: [String]) {
    add(0, texts.isEmpty ? "\(key): []" : "\(key):")
    for text in texts { add(1, "- \(scalar(text))") }
  }

  private mutating func add(_ level: Int, _ text: String) {
    lines.append(String(repeating: "  ", count: level) + text)
  }

  /// Text as a YAML scalar: bare when nothing in it can mean anything else, in double quotes otherwise.
  private func scalar(_ text: String) -> String {
    let isBare = text.utf8.allSatisfy {
      ($0 >= 0x61 && $0 <= 0x7a) || ($0 >= 0x30 && $0 <= 0x39) || "-./_".utf8.contains($0)
    }
    let words = ["null", "true", "false", "yes", "no", "on", "off"]
    let startsWell = text.utf8.first.map { ($0 >= 0x61 && $0 <= 0x7a) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2f }
    if isBare, startsWell == true, !words.contains(text) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\u{20}"..."\u{7e}": quoted.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}
