import PacketInspect

/// Turns a composed document into a `Configuration`. A value that is faulty keeps its default, and the fault is
/// noted: the result may be used only when the log has none.
struct ConfigurationDecoder {
  /// What relative paths are relative to; absolute, without a final slash.
  let baseDirectory: String
  /// The host's own nameservers.
  let systemResolvers: [IPAddress]
  let suffixes: PublicSuffixes

  /// A configuration and where in the file its deny-lists stand.
  struct Result {
    var configuration = Configuration()
    /// One for each of `configuration.denyLists`; empty when the file does not name any.
    var listPlaces: [ConfigurationValue] = []
    /// The same for `configuration.categories`.
    var categoryPlaces: [ConfigurationValue] = []
  }

  func decode(_ root: ConfigurationValue) -> Result {
    var result = Result()
    result.configuration.trustedResolvers = addresses(Configuration.defaultTrustedResolvers)
    if let top = ConfigurationMapping(root) {
      decodeQueueing(top, &result.configuration)
      decodeNetworks(top, &result.configuration)
      decodeDenyLists(top, &result)
      decodeCategories(top, &result)
      // Before the agent types: what they learn from is in the store.
      decodeStore(top, &result.configuration)
      decodeAgentTypes(top, &result.configuration)
      decodeSessions(top, &result.configuration)
      decodeControl(top, &result.configuration)
      top.mapping("privacy")?.read("redactLabels", into: &result.configuration.privacy.redactLabels)
      if let path = top.mapping("events")?["path"], let text = self.path(path, "a path, or '-' for standard output") {
        result.configuration.events.path = text
      }
      decodeMetrics(top, &result.configuration)
    }
    // Repeated keys below a key that was not looked into.
    for duplicate in root.log.duplicates.values {
      root.log.add(
        ConfigurationFault(
          line: duplicate.line, column: duplicate.column, key: duplicate.key,
          message: "given twice; keep one of them"))
    }
    return result
  }

  private func decodeMetrics(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let value = top.mapping("metrics")?["listen"], let text = value.text("an address and a port") else { return }
    guard text != "none" else {
      configuration.metrics.listen = nil
      return
    }
    guard let address = ListenAddress(text) else {
      return value.fault("must be an address and a port, such as 127.0.0.1:9478 or '[::1]:9478', or none")
    }
    configuration.metrics.listen = address
  }

  private func decodeQueueing(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    top.read("mode", into: &configuration.mode)
    if let queues = top.mapping("queues") {
      queues.read("first", into: &configuration.queues.first, in: 0...UInt16.max)
      queues.read("length", into: &configuration.queues.length, in: 1...1_048_576)
      queues.read("offload", into: &configuration.queues.offload)
      if let value = queues["count"], let count = value.integer(in: 1...256), count > 1 {
        value.fault("more than one queue is not built yet; write 1")
      }
    }
    if let value = top.mapping("marks")?["mask"], let mask = value.integer(in: 1...UInt32.max) {
      let run = mask >> UInt32(mask.trailingZeroBitCount)
      if run == 0xff {
        configuration.marks.mask = mask
      } else {
        value.fault("must have exactly 8 neighbouring bits set (2 of state, 6 of slot); write for example 0xff000000")
      }
    }
    decodeRules(top, &configuration)
    if let conditions = top.mapping("onFailure") {
      conditions.read("daemonAbsent", into: &configuration.onFailure.daemonAbsent)
      conditions.read("queueFull", into: &configuration.onFailure.queueFull)
      conditions.read("malformed", into: &configuration.onFailure.malformed)
      conditions.read("helloIncomplete", into: &configuration.onFailure.helloIncomplete)
      conditions.read("midstream", into: &configuration.onFailure.midstream)
      conditions.read("flowTableFull", into: &configuration.onFailure.flowTableFull)
      conditions.read("eventBacklog", into: &configuration.onFailure.eventBacklog)
      conditions.read("pendingAttribution", into: &configuration.onFailure.pendingAttribution)
    }
    checkObserve(top, configuration)
    if let limits = top.mapping("limits") {
      limits.read("flows", into: &configuration.limits.flows, in: 1024...16_777_216)
      limits.read("namesPerSession", into: &configuration.limits.namesPerSession, in: 16...1_048_576)
      limits.read("eventRing", into: &configuration.limits.eventRing, in: 1024...16_777_216)
      limits.read("heldPackets", into: &configuration.limits.heldPackets, in: 1...65_536)
    }
  }

  /// Observing means that nothing is blocked, so nothing may be blocked while nobody observes either.
  private func checkObserve(_ top: ConfigurationMapping, _ configuration: Configuration) {
    guard configuration.mode == .observe, let mode = top["mode"] else { return }
    if configuration.onFailure.daemonAbsent != .open {
      mode.fault("'observe' blocks nothing, but onFailure.daemonAbsent is closed; set onFailure.daemonAbsent: open")
    }
    if configuration.onFailure.queueFull != .open {
      mode.warn("'observe' blocks nothing, but onFailure.queueFull is closed: a full queue drops packets")
    }
  }

  private func decodeRules(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let rules = top.mapping("rules") else { return }
    if let value = rules["directory"], let path = filePath(value, "the path of a directory") {
      configuration.rules.directory = path
    }
    guard let value = rules["repair"] else { return }
    if value.isWord("recorded") {
      configuration.rules.repair = .recorded
    } else if value.isWord("none") {
      configuration.rules.repair = .off
    } else if let path = filePath(value, "'recorded', 'none' or the path of iptables-setup.sh") {
      do throws(FileError) {
        configuration.rules.repair = .script(try RepairScript(checking: path).path)
      } catch {
        value.fault("\(quoted(path)) \(error)")
      }
    }
  }

  private func decodeControl(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let control = top.mapping("control") else { return }
    if let value = control["socket"], let path = filePath(value, "the path of a socket") {
      if path.utf8.count <= UnixAddress.maximumConfigured {
        configuration.control.socket = path
      } else {
        value.fault(
          "\(quoted(path)) is longer than a socket's path may be; write at most \(UnixAddress.maximumConfigured) bytes")
      }
    }
    if let value = control["group"], let name = value.text("a group's name") {
      if SessionWord.isUsable(name) {
        configuration.control.group = name
      } else {
        value.fault("\(quoted(name)) cannot be a group's name; write one of /etc/group")
      }
    }
  }

  private static let keepEndedRange = TimeSpan(seconds: 60)...TimeSpan(seconds: 3_660 * 86_400)

  private func decodeStore(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    guard let store = top.mapping("store") else { return }
    if let value = store["path"], let path = filePath(value, "the path of a file, or 'none'") {
      configuration.store.path = value.isWord("none") ? nil : path
    }
    store.read("durability", into: &configuration.store.durability)
    if let value = store["keepEnded"], let time = value.timeSpanOrNever(in: Self.keepEndedRange) {
      configuration.store.keepEnded = time
    }
  }

  /// A path that cannot be standard output or input.
  private func filePath(_ value: ConfigurationValue, _ expected: String) -> String? {
    guard let path = path(value, expected) else { return nil }
    guard path == "-" else { return path }
    value.fault("'-' makes no sense here; write \(expected)")
    return nil
  }

  private func decodeNetworks(_ top: ConfigurationMapping, _ configuration: inout Configuration) {
    if let members = top["internalNetworks"]?.members() {
      configuration.internalNetworks = members.compactMap { network($0) }
    }
    if let members = top["internalNames"]?.members() {
      configuration.internalNames = members.compactMap { name($0) }
    }
    if let members = top["trustedResolvers"]?.members() {
      let sources = members.compactMap { member -> TrustedResolverSource? in
        guard let text = member.text("'system', 'well-known' or an address") else { return nil }
        switch text {
        case "system": return .system
        case "well-known": return .wellKnown
        default:
          if let address = IPAddress(text) { return .address(address.canonical) }
          member.fault("\(quoted(text)) is no address; write 'system', 'well-known' or an address")
          return nil
        }
      }
      configuration.trustedResolvers = addresses(sources)
    }
    if let members = top["denyExceptions"]?.members() {
      configuration.denyExceptions = members.compactMap { exception($0) }
    }
  }

  /// The addresses that `sources` stand for, each once, in their order.
  private func addresses(_ sources: [TrustedResolverSource]) -> [IPAddress] {
    var seen = Set<IPAddress>()
    return sources.flatMap { source in
      switch source {
      case .system: systemResolvers
      case .wellKnown: WellKnownResolvers.addresses
      case .address(let address): [address]
      }
    }.filter { seen.insert($0).inserted }
  }

  private func exception(_ value: ConfigurationValue) -> DenyTarget? {
    guard let text = value.text("a host name, an address or a network") else { return nil }
    do throws(TargetFault) {
      let target = try TargetText.target(text)
      switch target {
      case .name(let name): if suffixes.isRegistrySuffix(name) { throw .registrySuffix }
      case .network(let network): if network.prefixLength < TargetText.shortestDeniedPrefix { throw .tooWide }
      }
      return target
    } catch {
      value.fault("\(quoted(text)): \(error.rawValue); write a host name, an address or a network")
      return nil
    }
  }

  func name(_ value: ConfigurationValue) -> HostName? {
    guard let text = value.text("a host name") else { return nil }
    do throws(TargetFault) {
      let bytes = Array(text.utf8)
      return try TargetText.name(bytes.rawSpan)
    } catch {
      value.fault("\(quoted(text)): \(error.rawValue); write a host name")
      return nil
    }
  }

  /// A network; bits beyond its length are a fault, since one of the two was meant otherwise.
  func network(_ value: ConfigurationValue) -> IPNetwork? {
    guard let text = value.text("an address or a network such as 10.0.0.0/8") else { return nil }
    let addressText = String(text.prefix { $0 != "/" })
    guard let network = IPNetwork(text), let address = IPAddress(addressText) else {
      value.fault("\(quoted(text)) is no address or network; write for example 10.0.0.0/8 or fc00::/7")
      return nil
    }
    guard network.address == address else {
      value.fault("\(quoted(text)) has bits set beyond its length; write \(network) or \(address)")
      return nil
    }
    return network.canonical
  }

  /// A path, made absolute; `-` stays as it is.
  func path(_ value: ConfigurationValue, _ expected: String) -> String? {
    guard let text = value.text(expected) else { return nil }
    guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }),
      text.utf8.count <= 4096
    else {
      value.fault("\(quoted(text)) is no usable path; write \(expected)")
      return nil
    }
    return text == "-" || text.hasPrefix("/") ? text : "\(baseDirectory)/\(text)"
  }
}
