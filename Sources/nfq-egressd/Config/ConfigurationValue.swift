import Yams

/// A value of the file together with its place and its key path. Every reading that fails notes a fault and gives nil.
struct ConfigurationValue {
  let node: Node
  /// As shown to the operator: `agentTypes.research.budget`.
  let path: String
  /// As in the schema: `agentTypes.*.budget`.
  let schemaPath: String
  let log: FaultLog

  /// The line of the file, from 1; 0 when not known.
  var line: Int { node.mark?.line ?? 0 }

  /// Notes a fault at this value.
  func fault(_ message: String) {
    log.add(place(message))
  }

  /// Notes something odd at this value.
  func warn(_ message: String) {
    log.warn(place(message))
  }

  private func place(_ message: String) -> ConfigurationFault {
    ConfigurationFault(line: line, column: node.mark?.column ?? 0, key: path, message: message)
  }

  /// A scalar's text. Lists, mappings and empty values are faults.
  func text(_ expected: String) -> String? {
    guard let scalar = scalar(expected) else { return nil }
    return scalar.string
  }

  /// An unquoted scalar's text: for numbers, which quotes would turn into text.
  private func plain(_ expected: String) -> String? {
    guard let scalar = scalar(expected) else { return nil }
    guard scalar.style == .plain || scalar.style == .any else {
      fault("\(quoted(scalar.string)) is text; write \(expected), without quotes")
      return nil
    }
    return scalar.string
  }

  private func scalar(_ expected: String) -> Node.Scalar? {
    guard log.visit() else { return nil }
    switch node {
    case .scalar(let scalar):
      let isPlain = scalar.style == .plain || scalar.style == .any
      if isPlain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) {
        fault("has no value; write \(expected), or remove the key")
        return nil
      }
      return scalar
    case .mapping: fault("is a mapping; write \(expected)")
    case .sequence: fault("is a list; write \(expected)")
    case .alias: fault("is an alias that leads nowhere; write \(expected)")
    }
    return nil
  }

  /// A whole number in `range`, decimal or hexadecimal (`0x`).
  func integer<T: FixedWidthInteger>(in range: ClosedRange<T>) -> T? {
    let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard let text = plain(expected) else { return nil }
    guard let value = Self.parseInteger(text) else {
      fault("\(quoted(text)) is no whole number; write \(expected)")
      return nil
    }
    guard let fitting = T(exactly: value), range.contains(fitting) else {
      fault("\(text) is out of range; write \(expected)")
      return nil
    }
    return fitting
  }

  private static func parseInteger(_ text: String) -> Int64? {
    if text.hasPrefix("0x") {
      let digits = text.dropFirst(2)
      return digits.utf8.first == 0x2b || digits.utf8.first == 0x2d ? nil : Int64(digits, radix: 16)
    }
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    // A leading zero means octal to some readers of YAML and nothing to others.
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), digits == "0" || !digits.hasPrefix("0") else {
      return nil
    }
    return Int64(text)
  }

  /// A decimal fraction in `range`.
  func decimal(in range: ClosedRange<Double>) -> Double? {
    let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
    guard let text = plain(expected) else { return nil }
    guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }), let value = Double(text) else {
      fault("\(quoted(text)) is no number; write \(expected)")
      return nil
    }
    guard range.contains(value) else {
      fault("\(text) is out of range; write \(expected)")
      return nil
    }
    return value
  }

  /// One of the words of `choices`. A word of `notBuilt` is a fault that says so.
  func choice<T>(_ choices: [(String, T)], notBuilt: [String] = []) -> T? {
    let words = choices.map(\.0)
    let expected = words.count == 1 ? "'\(words[0])'" : "one of \(words.joined(separator: ", "))"
    guard let text = text(expected) else { return nil }
    if let found = choices.first(where: { $0.0 == text }) { return found.1 }
    if notBuilt.contains(text) {
      fault("'\(text)' is not built yet; write \(expected)")
    } else if let near = NearestWord.find(text, in: words) {
      fault("unknown value \(quoted(text)) (did you mean '\(near)'?); write \(expected)")
    } else {
      fault("unknown value \(quoted(text)); write \(expected)")
    }
    return nil
  }

  /// A time such as `90s`, `30m`, `1h` or `7d`, or `never`, which is a value too: nil inside.
  func timeSpanOrNever(in range: ClosedRange<TimeSpan>) -> TimeSpan?? {
    let expected = "a time from \(range.lowerBound) to \(range.upperBound), such as 90s, 30m, 1h or 7d, or 'never'"
    guard let text = text(expected) else { return nil }
    if text == "never" { return .some(nil) }
    // What is no time is no value: not the inner nil, which stands for never.
    guard let span = timeSpan(text, in: range, expected) else { return nil }
    return span
  }

  /// A number of bytes such as `500MB` or `2GiB`, at least one.
  func byteCount() -> ByteCount? {
    let expected = "a number of bytes such as 500MB or 2GiB"
    guard let text = text(expected) else { return nil }
    guard let count = ByteCount(text), count.bytes > 0 else {
      fault("\(quoted(text)) is no number of bytes; write \(expected)")
      return nil
    }
    return count
  }

  /// True when the value is this word.
  func isWord(_ word: String) -> Bool { node.scalar?.string == word }

  /// A time within bounds.
  func timeSpan(in range: ClosedRange<TimeSpan>) -> TimeSpan? {
    let expected = "a time from \(range.lowerBound) to \(range.upperBound), such as 90s, 30m or 1h"
    return text(expected).flatMap { timeSpan($0, in: range, expected) }
  }

  private func timeSpan(_ text: String, in range: ClosedRange<TimeSpan>, _ expected: String) -> TimeSpan? {
    guard let span = TimeSpan(text) else {
      fault("\(quoted(text)) is no time; write \(expected)")
      return nil
    }
    guard range.contains(span) else {
      fault("\(text) is out of range; write \(expected)")
      return nil
    }
    return span
  }

  /// The members of a list.
  func members() -> [ConfigurationValue]? {
    guard log.visit() else { return nil }
    guard case .sequence(let sequence) = node else {
      fault(isEmpty ? "has no value; write a list, or remove the key" : "is no list; write [a, b] or lines with '- '")
      return nil
    }
    return sequence.enumerated().map {
      ConfigurationValue(node: $1, path: "\(path)[\($0)]", schemaPath: schemaPath + "[]", log: log)
    }
  }

  /// Members of a mapping as the file has them; 0 when it is none.
  var memberCount: Int { node.mapping?.count ?? 0 }

  var isEmpty: Bool {
    guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }
}

/// Text of the file for a message: shortened, on one line.
func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }.joined()
  return "'\(shown)\(text.unicodeScalars.count > 60 ? "…" : "")'"
}
