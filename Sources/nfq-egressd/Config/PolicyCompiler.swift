import PacketInspect

/// A configuration and the policy made of it.
struct CompiledPolicy: Sendable {
  var loaded: LoadedConfiguration
  var snapshot: PolicySnapshot
}

/// Makes the immutable policy that the packet path reads out of a configuration file and its lists.
struct PolicyCompiler {
  var suffixes: PublicSuffixes
  /// Keys the name tables; secret in live use.
  var seed: UInt64
  /// When snapshots of lists are made. Without a store they are in memory whatever it says.
  var making = ListStore.Making.never
  /// Told how lists are read.
  var watch = ListWatch()

  /// Reads `file` and compiles it. Throws every fault of the file at once. The names of the policy before keep their
  /// numbers.
  func compile(
    file: String, epoch: UInt32, categoryNames: CategoryNames = CategoryNames()
  ) throws(ConfigurationFaults) -> CompiledPolicy {
    var categories = CategoryTable(names: categoryNames, seed: seed)
    let loaded = try ConfigurationLoader(suffixes: suffixes).load(
      file,
      list: { source, configuration throws(FileError) in
        try store(configuration).load(source)
      },
      categoryEntry: { list, entry in
        if case .name(let name) = entry.target { categories.insert(name, list: list, line: entry.line) }
      })
    guard complete(&categories, loaded.configuration.categories) else {
      let message =
        "more than \(CategoryNames.maximumCount) categories, counting those of earlier configurations; restart the daemon"
      throw ConfigurationFaults(
        file: file, faults: [ConfigurationFault(line: 0, column: 0, key: "categories", message: message)])
    }
    var parts = self.parts(loaded.configuration, categories)
    parts.lists = denyLists(loaded)
    return CompiledPolicy(loaded: loaded, snapshot: PolicySnapshot(parts, epoch: epoch))
  }

  /// Where the lists of a configuration are kept.
  func store(_ configuration: Configuration) -> ListStore {
    ListStore(
      suffixes: suffixes, directory: ListStore.directory(of: configuration), watch: watch, making: making)
  }

  /// The deny-lists and exceptions of a configuration, and nothing else of it.
  func denials(of loaded: LoadedConfiguration) -> PolicySnapshot.Parts {
    var parts = PolicySnapshot.Parts()
    except(loaded.configuration, &parts)
    parts.lists = denyLists(loaded)
    return parts
  }

  private func denyLists(_ loaded: LoadedConfiguration) -> [DenyList] {
    loaded.lists.compactMap { list in
      list.entries.map {
        DenyList(name: list.source.name, action: list.source.action, modified: list.modified, entries: $0)
      }
    }
  }

  private func except(_ configuration: Configuration, _ parts: inout PolicySnapshot.Parts) {
    parts.exceptedDomains = DomainSet(seed: seed)
    for target in configuration.denyExceptions {
      switch target {
      case .name(let name): parts.exceptedDomains.insert(name, at: ListPosition(list: 0, line: 0))
      case .network(let network): parts.exceptedNetworks.insert(network, true)
      }
    }
  }

  /// The policy of a configuration without lists: for replay without a file.
  func parts(_ configuration: Configuration) -> PolicySnapshot.Parts {
    var categories = CategoryTable(seed: seed)
    _ = complete(&categories, configuration.categories.filter { $0 == .builtin })
    return parts(configuration, categories)
  }

  /// Names the lists whose entries are in `table`, in the configuration's order, and adds the built-in ones behind them.
  /// False when there are too many categories.
  private func complete(_ table: inout CategoryTable, _ sources: [CategorySource]) -> Bool {
    for source in sources {
      switch source {
      // Holds its place: lists are numbered as the configuration has them.
      case .builtin: _ = table.addList(CategoryList(source: BuiltinCategories.prefix, category: .unknown))
      case .file(let name, let path, _):
        guard let category = table.names.add(name) else { return false }
        _ = table.addList(CategoryList(source: path, category: category))
      }
    }
    if sources.contains(.builtin) { BuiltinCategories.add(to: &table, suffixes: suffixes) }
    return true
  }

  private func parts(_ configuration: Configuration, _ categories: CategoryTable) -> PolicySnapshot.Parts {
    var parts = PolicySnapshot.Parts()
    parts.categories = categories
    parts.mode = configuration.mode == .observe ? .observe : .enforce
    parts.exceptions.malformed = configuration.onFailure.malformed
    parts.exceptions.helloIncomplete = configuration.onFailure.helloIncomplete
    parts.exceptions.midstream = configuration.onFailure.midstream
    parts.exceptions.flowTableFull = configuration.onFailure.flowTableFull
    for network in configuration.internalNetworks { parts.internalNetworks.insert(network, true) }
    parts.internalNames = DomainSet(seed: seed)
    for name in configuration.internalNames { parts.internalNames.insert(name, at: ListPosition(list: 0, line: 0)) }
    parts.trustedResolvers = Set(configuration.trustedResolvers.map(\.canonical))
    parts.publicResolvers = Set(WellKnownResolvers.addresses.map(\.canonical))
    except(configuration, &parts)
    for (name, type) in configuration.agentTypes {
      let budget = BudgetPolicy(
        destinations: type.budget.destinations, window: window(type.budget.window), onReach: reach(type.budget.onReach),
        warnAt: type.budget.warnAt)
      let uploads = type.uploadBudget.map {
        UploadBudgetPolicy(
          bytes: UInt64($0.bytes.bytes.magnitude), window: window($0.window), onReach: reach($0.onReach))
      }
      var compiled = PacketInspect.AgentType(name: name, budget: budget, uploadBudget: uploads)
      for (category, action) in type.categoryActions {
        if let category = categories.names.category(named: category) { compiled.categoryActions[category] = action }
      }
      compiled.shape = shape(type.shape)
      compiled.mix = type.categories.flatMap { mix($0, categories.names) }
      parts.agentTypes[name] = compiled
    }
    parts.redactLabels = configuration.privacy.redactLabels
    parts.idleEnd = configuration.sessions.idleEnd?.nanoseconds
    for address in configuration.sessions.addresses {
      parts.sessionSources.insert(
        address.source, ConfiguredSession(id: address.session, agentType: address.agentType))
    }
    return parts
  }

  /// Nil when nothing can be expected of the baseline, which the decoder does not let through.
  private func mix(_ mix: AgentType.Mix, _ names: CategoryNames) -> MixPolicy? {
    // Rounded shares may sum to a little more or less than one.
    // In one order: a sum that differs in its last bit makes another baseline, and evidence against one is none
    // against another.
    let sum = mix.baseline.values.sorted().reduce(0, +)
    var shares: [PacketInspect.Category: Double] = [:]
    for (name, share) in mix.baseline where sum > 0 {
      if let category = names.category(named: name) { shares[category] = share / sum }
    }
    guard let baseline = MixBaseline(shares, concentration: mix.concentration, names: names) else { return nil }
    var policy = MixPolicy(baseline)
    policy.contactGap = mix.contactGap.nanoseconds
    policy.minimumContacts = mix.minimumContacts
    policy.minimumDistance = mix.minimumDistance
    policy.falsePositiveRate = mix.falsePositiveRate
    policy.onShift = mix.onShift
    return policy
  }

  private func shape(_ shape: AgentType.Shape) -> ShapePolicy {
    var policy = ShapePolicy()
    policy.encodedTokenLength = shape.encodedTokenLength
    policy.encodedHostBytes = Int(clamping: shape.encodedHostBytes.bytes)
    policy.uniqueLabels = shape.uniqueLabels
    policy.labelWindow = shape.labelWindow.nanoseconds
    policy.uploadBytes = shape.uploadBytes.bytes.magnitude
    policy.uploadRatio = shape.uploadRatio
    policy.uploadVolume = shape.uploadVolume.bytes.magnitude
    policy.dripBytes = shape.dripBytes.bytes.magnitude
    policy.dripUploads = shape.dripUploads
    policy.beaconContacts = shape.beaconContacts
    policy.beaconSpan = shape.beaconSpan.nanoseconds
    policy.beaconJitter = shape.beaconJitter
    policy.protocols = ProtocolSet(shape.protocols.compactMap { ProtocolClass(word: $0) })
    policy.ports = shape.ports
    policy.services = shape.services.map(\.text)
    return policy
  }

  private func window(_ window: AgentType.Budget.Window) -> BudgetWindow {
    switch window {
    case .session: .session
    case .day: .day
    }
  }

  private func reach(_ reach: AgentType.Budget.OnReach) -> BudgetReach {
    switch reach {
    case .flag: .flag
    case .hold: .hold
    }
  }
}
