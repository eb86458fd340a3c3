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
    var names = CategoryNames()
    for case .file(let category, _, _) in configuration.categories { _ = names.add(category) }
    var actions: [String: CategoryAction] = [:]
    for name in mapping.keys {
      guard let value = mapping[name] else { continue }
      guard names.category(named: name) != nil else {
        let near = NearestWord.find(name, in: names.all).map { "did you mean '\($0)'?" }
        value.fault(
          "there is no category \(quoted(name)); "
            + (near ?? "the categories are \(names.all.sorted().joined(separator: ", "))"))
        continue
      }
      if let action = value.choice(CategoryAction.allCases.map { ($0.name, $0) }) { actions[name] = action }
    }
    return actions
  }
}
