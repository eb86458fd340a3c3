import Foundation

/// As much of JSON Schema (2020-12) as `docs/event.schema.json` uses: type, const, enum, pattern, properties,
/// required, additionalProperties, items, minimum, $ref into $defs, allOf, and if with then and else. An unknown word is
/// a fault, so that the schema cannot ask for something that nobody checks.
struct JSONSchema {
  private let root: [String: Any]
  private static let ignored: Set = ["$schema", "$id", "title", "description", "$defs"]

  init(file: String) throws {
    let value = try JSONSerialization.jsonObject(with: try Data(contentsOf: URL(fileURLWithPath: file)))
    guard let object = value as? [String: Any] else { throw CocoaError(.propertyListReadCorrupt) }
    root = object
  }

  /// What is wrong with a value, each fault with its place; empty when it is valid.
  func faults(of value: Any) -> [String] { check(value, root, "$") }

  private func check(_ value: Any, _ schema: [String: Any], _ path: String) -> [String] {
    var faults: [String] = []
    for (word, argument) in schema where !Self.ignored.contains(word) {
      switch word {
      case "$ref": faults += reference(argument).map { check(value, $0, path) } ?? ["\(path): dangling reference"]
      case "type": if !isType(value, argument as? String ?? "") { faults.append("\(path): not \(argument)") }
      case "const": if !isEqual(value, argument) { faults.append("\(path): not \(argument)") }
      case "enum":
        let all = argument as? [Any] ?? []
        if !all.contains(where: { isEqual(value, $0) }) { faults.append("\(path): \(value) is none of \(all)") }
      case "pattern":
        let text = value as? String ?? ""
        if text.range(of: argument as? String ?? "$^", options: .regularExpression) == nil {
          faults.append("\(path): \(text) does not match")
        }
      case "minimum":
        if let number = value as? NSNumber, let least = argument as? NSNumber, number.doubleValue < least.doubleValue {
          faults.append("\(path): below \(least)")
        }
      case "required":
        for key in argument as? [String] ?? [] where (value as? [String: Any])?[key] == nil {
          faults.append("\(path): \(key) is missing")
        }
      case "properties", "additionalProperties": break
      case "items":
        for (index, item) in (value as? [Any] ?? []).enumerated() {
          faults += check(item, argument as? [String: Any] ?? [:], "\(path)[\(index)]")
        }
      case "allOf": for part in argument as? [[String: Any]] ?? [] { faults += check(value, part, path) }
      case "if":
        let branch = check(value, argument as? [String: Any] ?? [:], path).isEmpty ? "then" : "else"
        faults += check(value, schema[branch] as? [String: Any] ?? [:], path)
      case "then", "else": break
      default: faults.append("\(path): the schema's word \(word) is not known")
      }
    }
    return faults + properties(value, schema, path)
  }

  private func properties(_ value: Any, _ schema: [String: Any], _ path: String) -> [String] {
    guard let object = value as? [String: Any] else { return [] }
    let known = schema["properties"] as? [String: [String: Any]] ?? [:]
    return object.keys.sorted().flatMap { key -> [String] in
      guard let item = object[key] else { return [] }
      if let part = known[key] { return check(item, part, "\(path).\(key)") }
      if let other = schema["additionalProperties"] as? [String: Any] { return check(item, other, "\(path).\(key)") }
      return schema["additionalProperties"] as? Bool == false ? ["\(path): \(key) is not allowed"] : []
    }
  }

  private func reference(_ argument: Any) -> [String: Any]? {
    guard let text = argument as? String, text.hasPrefix("#/$defs/") else { return nil }
    return (root["$defs"] as? [String: Any])?[String(text.dropFirst(8))] as? [String: Any]
  }

  private func isType(_ value: Any, _ name: String) -> Bool {
    switch name {
    case "object": return value is [String: Any]
    case "array": return value is [Any]
    case "string": return value is String
    case "boolean": return (value as? NSNumber).map(isBoolean) ?? false
    case "integer":
      return (value as? NSNumber).map { !isBoolean($0) && $0.doubleValue.rounded() == $0.doubleValue } ?? false
    default: return false
    }
  }

  private func isBoolean(_ number: NSNumber) -> Bool { unsafe String(cString: number.objCType) == "c" }

  private func isEqual(_ one: Any, _ other: Any) -> Bool {
    if let one = one as? String, let other = other as? String { return one == other }
    if let one = one as? NSNumber, let other = other as? NSNumber { return one == other }
    return false
  }
}
