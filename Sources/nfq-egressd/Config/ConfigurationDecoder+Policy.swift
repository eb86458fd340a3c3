import PacketInspect

/// Deny-lists, agent types and sessions.
extension ConfigurationDecoder {
  /// Shorter than the look for idle sessions makes no sense; longer is `never`.
  private static let idleEndRange = TimeSpan(seconds: 10)...TimeSpan(seconds: 366 * 86_400)

  /// Shorter than a minute and a slow resolver would hide a burst; longer than a day no state is kept for.
  private static let labelWindowRange = TimeSpan(seconds: 60)...TimeSpan(seconds: 86_400)

  /// Nobody publishes lists more often than each minute; what may be older than a year needs no look.
  private static let maxAgeRange = TimeSpan(seconds: 60)...TimeSpan(seconds: 366 * 86_400)

  /// Nothing is regular in a few seconds; beyond a week no session lasts.
  private static let beaconSpanRange = TimeSpan(seconds: 10)...TimeSpan(seconds: 7 * 86_400)

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
      let maxAge = list["maxAge"]?.timeSpan(in: Self.maxAgeRange)
      guard let origin = origin(list), let name else { continue }
      var source = DenyListSource(name: name, origin: origin, action: action)
      source.maxAge = maxAge
      result.configuration.denyLists.append(source)
      result.listPlaces.append(list["path"] ?? member)
    }
  }

  private func origin(_ list: ConfigurationMapping) -> DenyListSource.Origin? {
    if let builtin = list["builtin"] {
      for key in ["path", "format", "maxAge"] {
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
      let members = ConfigurationMapping(value)
      if let budget = members?.mapping("budget") {
        budget.read("destinations", into: &type.budget.destinations, in: 1...1_000_000)
        budget.read("window", into: &type.budget.window)
        budget.read("onReach", into: &type.budget.onReach)
        if let share = budget["warnAt"]?.decimal(in: 0...1) { type.budget.warnAt = share }
      }
      if let budget = members?.mapping("uploadBudget") { type.uploadBudget = uploadBudget(budget) }
      if let actions = members?.mapping("categoryActions") {
        type.categoryActions = categoryActions(actions, configuration)
      }
      if let mix = members?.mapping("categories") { type.categories = decodeMix(mix, configuration) }
      if let shape = members?.mapping("shape") { decodeShape(shape, &type.shape) }
      configuration.agentTypes[name] = type
    }
  }

  private func decodeShape(_ mapping: ConfigurationMapping, _ shape: inout AgentType.Shape) {
    mapping.read("encodedTokenLength", into: &shape.encodedTokenLength, in: 32...4096)
    if let bytes = mapping["encodedHostBytes"]?.byteCount() { shape.encodedHostBytes = bytes }
    mapping.read("uniqueLabels", into: &shape.uniqueLabels, in: 16...100_000)
    if let window = mapping["labelWindow"]?.timeSpan(in: Self.labelWindowRange) { shape.labelWindow = window }
    decodeTraffic(mapping, &shape)
  }

  /// What is told by flows and sessions over time.
  private func decodeTraffic(_ mapping: ConfigurationMapping, _ shape: inout AgentType.Shape) {
    if let bytes = mapping["uploadBytes"]?.byteCount() { shape.uploadBytes = bytes }
    if let ratio = mapping["uploadRatio"]?.decimal(in: 1...1_000) { shape.uploadRatio = ratio }
    if let bytes = mapping["uploadVolume"]?.byteCount() { shape.uploadVolume = bytes }
    if let bytes = mapping["dripBytes"]?.byteCount() { shape.dripBytes = bytes }
    mapping.read("dripUploads", into: &shape.dripUploads, in: 16...1_000_000)
    mapping.read("beaconContacts", into: &shape.beaconContacts, in: 6...100_000)
    if let span = mapping["beaconSpan"]?.timeSpan(in: Self.beaconSpanRange) { shape.beaconSpan = span }
    if let share = mapping["beaconJitter"]?.decimal(in: 0...0.5) { shape.beaconJitter = share }
    if let members = mapping["protocols"]?.members() {
      let words = ProtocolClass.allCases.filter { $0 != .unknown }.map { ($0.word, $0) }
      shape.protocols = ProtocolSet(members.compactMap { $0.choice(words) }).words
    }
    if let members = mapping["ports"]?.members() {
      shape.ports = members.compactMap { $0.integer(in: 1...UInt16.max) }
    }
    if let members = mapping["services"]?.members() { shape.services = members.compactMap { name($0) } }
  }

  private func uploadBudget(_ mapping: ConfigurationMapping) -> AgentType.UploadBudget? {
    var budget = AgentType.UploadBudget(bytes: ByteCount(bytes: 0))
    let bytes = mapping.required("bytes", "bytes: for example 500MB").flatMap { $0.byteCount() }
    mapping.read("window", into: &budget.window)
    mapping.read("onReach", into: &budget.onReach)
    guard let bytes else { return nil }
    budget.bytes = bytes
    return budget
  }

  func decodeSessions(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let sessions = top.mapping("sessions") else { return }
    if let value = sessions["idleEnd"], let idleEnd = value.timeSpanOrNever(in: Self.idleEndRange) {
      configuration.sessions.idleEnd = idleEnd
    }
    if let containers = sessions.mapping("containers") { decodeContainers(containers, &configuration) }
    if let members = sessions["addresses"]?.members() { decodeAddresses(members, &configuration) }
    if let members = sessions["cgroups"]?.members() { decodeCgroups(members, &configuration) }
  }

  private func decodeCgroups(_ members: [ConfigurationValue], _ configuration: inout Configuration) {
    var lines: [String: Int] = [:]
    for member in members {
      guard let entry = ConfigurationMapping(member) else { continue }
      let pattern = entry.required("pattern", "pattern: /PATH/{type}-{session}").flatMap { cgroupPattern($0) }
      let type = entry["agentType"].flatMap { agentType($0, configuration) }
      guard let pattern, let place = entry["pattern"] else { continue }
      if let line = lines[pattern.text] {
        place.fault("\(quoted(pattern.text)) is the pattern of line \(line) already; remove one of them")
      }
      lines[pattern.text] = place.line
      if pattern.capturesType, let value = entry["agentType"] {
        value.fault("the pattern captures {type} already; remove agentType, or write '*' for {type}")
        continue
      }
      if !pattern.capturesType, entry["agentType"] == nil {
        member.fault("no type for its sessions; write {type} in the pattern, or agentType: one of agentTypes")
        continue
      }
      if let terminator = pattern.typeTerminator {
        for name in configuration.agentTypes.keys.sorted() where name != AgentType.unattributedName {
          guard name.firstRange(of: terminator) != nil else { continue }
          place.warn(
            "{type} ends at the first \(quoted(terminator)), so the agent type \(quoted(name)) is never captured")
        }
      }
      configuration.sessions.cgroups.append(CgroupSession(pattern: pattern, agentType: type))
    }
  }

  private func cgroupPattern(_ value: ConfigurationValue) -> CgroupPattern? {
    guard let text = value.text("a pattern of cgroup paths") else { return nil }
    do throws(CgroupPatternFault) {
      return try CgroupPattern(text)
    } catch {
      value.fault("\(quoted(text)) \(error.rawValue)")
      return nil
    }
  }

  private func decodeAddresses(_ members: [ConfigurationValue], _ configuration: inout Configuration) {
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

  func word(_ value: ConfigurationValue, _ meaning: String) -> String? {
    guard let text = value.text(meaning), isWord(text, value, meaning) else { return nil }
    return text
  }

  func isWord(_ text: String, _ value: ConfigurationValue, _ meaning: String) -> Bool {
    guard SessionWord.isUsable(text) else {
      value.fault("\(quoted(text)) cannot be \(meaning); use \(SessionWord.rule)")
      return false
    }
    return true
  }
}
