import PacketInspect

/// Deny-lists, agent types and sessions.
extension ConfigurationDecoder {
  func decodeDenyLists(_ top: ConfigurationMapping, _ result: inout Result) {
    guard let members = top["denyLists"]?.members() else { return }
    result.configuration.denyLists = []
    var lines: [String: Int] = [:]
    for member in members {
      guard let list = ConfigurationMapping(member) else { continue }
      var action = Action.reject
      list.read("action", into: &action, from: [.reject, .drop])
      let name = list.required("name", "name: NAME").flatMap { word($0, "the list's name") }
      if let name, let value = list["name"] {
        if let line = lines[name] {
          value.fault("\(quoted(name)) is the name of the list in line \(line) already; choose another")
        }
        lines[name] = value.line
      }
      guard let origin = origin(list), let name else { continue }
      result.configuration.denyLists.append(DenyListSource(name: name, origin: origin, action: action))
      result.listPlaces.append(list["path"] ?? member)
    }
  }

  private func origin(_ list: ConfigurationMapping) -> DenyListSource.Origin? {
    if let builtin = list["builtin"] {
      for key in ["path", "format"] {
        list[key]?.fault("a built-in list has no \(key); remove '\(key)' or 'builtin'")
      }
      return builtin.choice(BuiltinList.allCases.map { ($0.rawValue, $0) }).map { .builtin($0) }
    }
    let path = list.required("path", "path: FILE, or builtin: cloud-metadata")
      .flatMap { value -> String? in
        guard let path = self.path(value, "the path of the list") else { return nil }
        guard path == "-" else { return path }
        value.fault("a list cannot come from standard input; write the path of a file")
        return nil
      }
    let format: ListFormat? = list.required("format", "format: domains, hosts or cidr")
      .flatMap { $0.choice(ListFormat.allCases.map { ($0.rawValue, $0) }, notBuilt: ["adblock", "rpz"]) }
    guard let path, let format else { return nil }
    return .file(path: path, format: format)
  }

  func decodeAgentTypes(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let types = top.mapping("agentTypes") else { return }
    for name in types.keys {
      guard let value = types[name], isWord(name, value, "an agent type's name") else { continue }
      // Noted even when what is below it is faulty: sessions that name the type are not at fault.
      var type = configuration.agentTypes[name] ?? AgentType()
      if let budget = ConfigurationMapping(value)?.mapping("budget") {
        budget.read("destinations", into: &type.budget.destinations, in: 1...1_000_000)
        budget.read("window", into: &type.budget.window, notBuilt: ["24h"])
        budget.read("onReach", into: &type.budget.onReach)
        if let share = budget["warnAt"]?.decimal(in: 0...1) { type.budget.warnAt = share }
      }
      configuration.agentTypes[name] = type
    }
  }

  func decodeSessions(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let sessions = top.mapping("sessions") else { return }
    if let containers = sessions.mapping("containers") { decodeContainers(containers, &configuration) }
    guard let members = sessions["addresses"]?.members() else { return }
    var sources: [IPNetwork: Int] = [:]
    var types: [String: String] = [:]
    for member in members {
      guard let entry = ConfigurationMapping(member) else { continue }
      let source = entry.required("source", "source: ADDRESS or CIDR").flatMap { network($0) }
      let session = entry.required("session", "session: NAME").flatMap { word($0, "the session's name") }
      let type = entry.required("agentType", "agentType: one of agentTypes").flatMap { agentType($0, configuration) }
      if let source, let value = entry["source"] {
        if let line = sources[source] {
          value.fault("\(source.shortText) is the source of line \(line) already; remove one of them")
        }
        sources[source] = value.line
      }
      if let session, let type {
        if let other = types[session], other != type {
          entry["agentType"]?.fault("session \(quoted(session)) has the type \(quoted(other)) above; give it one type")
        }
        types[session] = types[session] ?? type
      }
      guard let source, let session, let type else { continue }
      configuration.sessions.addresses.append(AddressSession(source: source, session: session, agentType: type))
    }
  }

  private func decodeContainers(_ entry: ConfigurationMapping, _ configuration: inout Configuration) {
    var labels = ContainerLabelNames()
    if let name = entry["sessionLabel"].flatMap({ labelName($0) }) { labels.session = name }
    if let name = entry["typeLabel"].flatMap({ labelName($0) }) { labels.type = name }
    if labels.session == labels.type {
      entry.value.fault("session and agent type have the same label \(quoted(labels.session)); give each its own")
    }
    let meaning = "socket: the runtime's Unix socket, such as /run/podman/podman.sock"
    guard let value = entry.required("socket", meaning), let path = path(value, "the path of a Unix socket") else {
      return
    }
    guard path != "-", path.utf8.count <= ContainerSource.longestSocketPath else {
      value.fault(
        "\(quoted(path)) can be no Unix socket; write an absolute path of at most "
          + "\(ContainerSource.longestSocketPath) bytes")
      return
    }
    configuration.sessions.containers = ContainerSource(socket: path, labels: labels)
  }

  /// A label's name: runtimes take almost any text, but white space and control bytes are slips of the pen.
  private func labelName(_ value: ConfigurationValue) -> String? {
    guard let text = value.text("the name of a label") else { return nil }
    guard !text.isEmpty, text.utf8.count <= 256, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      value.fault("\(quoted(text)) can be no label; use at most 256 printable ASCII characters without spaces")
      return nil
    }
    return text
  }

  private func agentType(_ value: ConfigurationValue, _ configuration: Configuration) -> String? {
    let names = configuration.agentTypes.keys.sorted()
    guard let text = value.text("an agent type") else { return nil }
    guard configuration.agentTypes[text] == nil else { return text }
    let near = NearestWord.find(text, in: names).map { " (did you mean '\($0)'?)" } ?? ""
    value.fault("there is no agent type \(quoted(text))\(near); write it under agentTypes")
    return nil
  }

  private func word(_ value: ConfigurationValue, _ meaning: String) -> String? {
    guard let text = value.text(meaning), isWord(text, value, meaning) else { return nil }
    return text
  }

  /// Names stand in events, metrics and commands: letters, digits, dot, hyphen and underscore, at most 64.
  private func isWord(_ text: String, _ value: ConfigurationValue, _ meaning: String) -> Bool {
    guard SessionWord.isUsable(text) else {
      value.fault(
        "\(quoted(text)) cannot be \(meaning); use at most 64 letters, digits, '.', '-' and '_', a letter or digit first"
      )
      return false
    }
    return true
  }
}
