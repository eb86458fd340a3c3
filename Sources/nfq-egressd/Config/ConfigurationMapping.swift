import PacketInspect
import Yams

/// A mapping of the file whose keys were checked against the schema.
struct ConfigurationMapping {
  let value: ConfigurationValue
  private var members: [String: ConfigurationValue] = [:]
  /// The keys as the file orders them, without those that are faults.
  private(set) var keys: [String] = []

  /// Checks every key: unknown ones (with the nearest known key), those not built yet and repeated ones are faults.
  /// Nil when the value is no mapping.
  init?(_ value: ConfigurationValue) {
    self.value = value
    guard value.log.visit() else { return nil }
    guard case .mapping(let mapping) = value.node else {
      let subject = value.path.isEmpty ? "the file" : "it"
      value.fault(
        value.isEmpty
          ? "has no value; write keys below it, or remove it"
          : "is no mapping; \(subject) holds lines of the form 'key: value'")
      return nil
    }
    let known = ConfigurationSchema.children(of: value.schemaPath)
    for (keyNode, node) in mapping {
      let key = ConfigurationValue(node: keyNode, path: value.path, schemaPath: value.schemaPath, log: value.log)
      guard let name = key.text("a key that is a word") else { continue }
      if ConfigurationDocument.isPlaceholder(name) {
        reportDuplicate(name, in: mapping)
        continue
      }
      let path = value.path.isEmpty ? name : "\(value.path).\(name)"
      guard let entry = known[name] ?? known["*"] else {
        reportUnknown(name, path: path, at: keyNode, known: known)
        continue
      }
      guard entry.isBuilt else {
        value.log.add(Self.fault(keyNode, path, "not built yet; remove the key"))
        continue
      }
      members[name] = ConfigurationValue(node: node, path: path, schemaPath: entry.path, log: value.log)
      keys.append(name)
    }
  }

  private func reportUnknown(_ name: String, path: String, at node: Node, known: [String: ConfigurationSchema.Key]) {
    let words = known.values.filter(\.isBuilt).compactMap { $0.path.split(separator: ".").last.map(String.init) }
    let message =
      if name == "<<" {
        "merge keys are not supported; write the keys out, or use an alias for the whole value"
      } else if let near = NearestWord.find(name, in: known.keys) {
        "unknown key; did you mean '\(near)'?"
      } else {
        "unknown key; the keys here are \(words.sorted().joined(separator: ", "))"
      }
    value.log.add(Self.fault(node, String(path.prefix(200)), message))
  }

  private func reportDuplicate(_ placeholder: String, in mapping: Node.Mapping) {
    guard let duplicate = value.log.duplicates.removeValue(forKey: placeholder) else { return }
    let again = mapping.first { $0.key.string == duplicate.key }?.key.mark
    value.log.add(
      ConfigurationFault(
        line: duplicate.line, column: duplicate.column,
        key: value.path.isEmpty ? duplicate.key : "\(value.path).\(duplicate.key)",
        message: "given twice\(again.map { ", again in line \($0.line)" } ?? ""); keep one of them"))
  }

  private static func fault(_ node: Node, _ path: String, _ message: String) -> ConfigurationFault {
    ConfigurationFault(line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, key: path, message: message)
  }

  /// The value of a key, nil when the file does not have it.
  subscript(key: String) -> ConfigurationValue? { members[key] }

  /// The value of a key that must be there; its absence is a fault.
  func required(_ key: String, _ meaning: String) -> ConfigurationValue? {
    if let member = members[key] { return member }
    // A key that is there but faulty was reported as such.
    if case .mapping(let mapping) = value.node, !mapping.contains(where: { $0.key.string == key }) {
      value.fault("'\(key)' is missing; write \(meaning)")
    }
    return nil
  }

  /// The mapping below a key.
  func mapping(_ key: String) -> ConfigurationMapping? { members[key].flatMap { ConfigurationMapping($0) } }

  /// Reads a whole number into `target`, which keeps its default when the key is absent or faulty.
  func read<T: FixedWidthInteger>(_ key: String, into target: inout T, in range: ClosedRange<T>) {
    if let number = members[key]?.integer(in: range) { target = number }
  }

  /// Reads a word of an enumeration into `target`.
  func read<T: RawRepresentable<String> & CaseIterable>(
    _ key: String, into target: inout T, notBuilt: [String] = []
  ) {
    if let choice = members[key]?.choice(T.allCases.map { ($0.rawValue, $0) }, notBuilt: notBuilt) { target = choice }
  }

  /// Reads accept, drop or reject into `target`.
  func read(_ key: String, into target: inout Action, from choices: [Action] = [.accept, .drop, .reject]) {
    if let choice = members[key]?.choice(choices.map { ($0.word, $0) }) { target = choice }
  }
}
