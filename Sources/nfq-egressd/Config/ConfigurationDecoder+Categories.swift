import PacketInspect

/// Categories and what is done about them.
extension ConfigurationDecoder {
  func decodeCategories(_ top: ConfigurationMapping, _ result: inout Result) {
    guard let members = top["categories"]?.members() else { return }
    result.configuration.categories = []
    var builtinLine: Int?
    var names = CategoryNames()
    for member in members {
      guard let entry = ConfigurationMapping(member) else { continue }
      if let builtin = entry["builtin"] {
        for key in ["category", "path", "format"] {
          entry[key]?.fault("the built-in table has no \(key); remove '\(key)' or 'builtin'")
        }
        if let line = builtinLine { builtin.fault("the built-in table is there in line \(line) already; remove one") }
        builtinLine = builtin.line
        guard builtin.choice([(CategorySource.builtinName, ())]) != nil else { continue }
        result.configuration.categories.append(.builtin)
        result.categoryPlaces.append(builtin)
        continue
      }
      let category = entry.required("category", "category: NAME, or builtin: \(CategorySource.builtinName)")
        .flatMap { self.category($0, &names) }
      let path = entry.required("path", "path: FILE").flatMap { value -> String? in
        guard let path = self.path(value, "the path of a file of names") else { return nil }
        guard path == "-" else { return path }
        value.fault("a list cannot come from standard input; write the path of a file")
        return nil
      }
      let format = entry.required("format", "format: domains or hosts").flatMap { value in
        value.choice(CategorySource.formats.map { ($0.rawValue, $0) }, notBuilt: ["adblock", "rpz"])
      }
      guard let category, let path, let format else { continue }
      result.configuration.categories.append(.file(category: category, path: path, format: format))
      result.categoryPlaces.append(entry["path"] ?? member)
    }
  }

  /// A category's name, the operator's own ones included: those that come first have room.
  private func category(_ value: ConfigurationValue, _ names: inout CategoryNames) -> String? {
    guard let name = word(value, "a category's name") else { return nil }
    if names.category(named: name) == nil, let near = NearestWord.find(name, in: names.all) {
      value.warn("\(quoted(name)) is a category of its own; '\(near)' is another one")
    }
    guard names.add(name) != nil else {
      value.fault("one category too many; use at most \(CategoryNames.maximumCount), the built-in ones included")
      return nil
    }
    return name
  }

  func categoryActions(_ mapping: ConfigurationMapping, _ configuration: Configuration) -> [String: CategoryAction] {
    var actions: [String: CategoryAction] = [:]
    for (name, value) in byCategory(mapping, configuration) {
      if let action = value.choice(CategoryAction.allCases.map { ($0.name, $0) }) { actions[name] = action }
    }
    return actions
  }

  /// The members of a mapping whose keys are categories; other keys are faults.
  private func byCategory(
    _ mapping: ConfigurationMapping, _ configuration: Configuration
  ) -> [(name: String, value: ConfigurationValue)] {
    var names = CategoryNames()
    for case .file(let category, _, _) in configuration.categories { _ = names.add(category) }
    return mapping.keys.compactMap { name in
      guard let value = mapping[name] else { return nil }
      guard names.category(named: name) != nil else {
        let near = NearestWord.find(name, in: names.all).map { "did you mean '\($0)'?" }
        value.fault(
          "there is no category \(quoted(name)); "
            + (near ?? "the categories are \(names.all.sorted().joined(separator: ", "))"))
        return nil
      }
      return (name, value)
    }
  }

  // MARK: The mix

  /// A minute of polling is one contact at most; an hour would hide a session's whole day.
  private static let contactGapRange = TimeSpan(seconds: 1)...TimeSpan(seconds: 3_600)
  /// How far shares written with two decimals may be from one.
  private static let roundingOfShares = 0.005

  func decodeMix(_ mapping: ConfigurationMapping, _ configuration: Configuration) -> AgentType.Mix? {
    var mix = AgentType.Mix(baseline: [:])
    if let gap = mapping["contactGap"]?.timeSpan(in: Self.contactGapRange) { mix.contactGap = gap }
    // The test needs ten contacts since a change to say what moved.
    mapping.read("minimumContacts", into: &mix.minimumContacts, in: 10...10_000)
    if let distance = mapping["minimumDistance"]?.decimal(in: 0.01...0.9) { mix.minimumDistance = distance }
    if let count = mapping["concentration"]?.decimal(in: 1...10_000) { mix.concentration = count }
    if let rate = mapping["falsePositiveRate"]?.decimal(in: 0.000001...0.2) { mix.falsePositiveRate = rate }
    if let reach = mapping["onShift"]?.choice(MixReach.allCases.map { ($0.rawValue, $0) }) { mix.onShift = reach }
    mapping.read("learn", into: &mix.learn)
    if mix.learn == .reviewed, configuration.store.path == nil {
      mapping["learn"]?.fault("reviewed sessions are kept in the store; write a path under store.path, or learn: none")
    }
    let value = mapping.required("baseline", "baseline: {CATEGORY: SHARE, ...}")
    guard let value, let shares = ConfigurationMapping(value) else { return nil }
    let members = byCategory(shares, configuration)
    for (name, value) in members { mix.baseline[name] = value.decimal(in: 0...1) }
    // What is wrong with one of them was said; their sum would only be wrong besides.
    guard members.count == shares.value.memberCount, mix.baseline.count == members.count else { return nil }
    let sum = mix.baseline.values.reduce(0, +)
    guard abs(sum - 1) <= Self.roundingOfShares else {
      value.fault("the shares sum to \((sum * 10_000).rounded() / 10_000); write shares that sum to 1")
      return nil
    }
    guard mix.baseline.contains(where: { $0.key != CategoryNames()[.unknown] && $0.value > 0 }) else {
      value.fault("lists no category but 'unknown'; write what sessions of the type contact, or remove 'categories'")
      return nil
    }
    return mix
  }
}
