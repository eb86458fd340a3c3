/// One thing that is wrong with a configuration file, with the place where it is.
struct ConfigurationFault: Sendable, Equatable, CustomStringConvertible {
  /// From 1; 0 when the fault is the whole file's.
  var line: Int
  /// From 1, in Unicode scalars.
  var column: Int
  /// As in `agentTypes.research.budget.destinations`; empty for the whole file.
  var key: String
  /// What is wrong, and after the semicolon the mend.
  var message: String

  /// `line:column: key: message`, without what is not known.
  var description: String {
    (line > 0 ? "\(line):\(column): " : " ") + (key.isEmpty ? "" : "\(key): ") + message
  }
}

/// Everything that is wrong with a configuration file.
struct ConfigurationFaults: Error, Sendable, CustomStringConvertible {
  /// The file as it was named.
  var file: String
  /// In the order of their lines; never empty.
  var faults: [ConfigurationFault]

  /// One line for each fault, beginning with the file.
  var description: String { faults.map { "\(file):\($0)" }.joined(separator: "\n") }
}

/// Gathers faults while a file is decoded, so that all are reported at once.
final class FaultLog {
  /// More would only scroll the first ones away.
  static let maximumFaults = 500
  /// Values looked at. Aliases let a small file stand for a huge one; no real configuration comes near.
  static let maximumValues = 200_000

  private(set) var faults: [ConfigurationFault] = []
  private(set) var warnings: [ConfigurationFault] = []
  /// Keys given twice, by the placeholder that stands for their first occurrence (see `ConfigurationDocument`).
  var duplicates: [String: DuplicateKey] = [:]
  private var visited = 0

  /// Notes a fault.
  func add(_ fault: ConfigurationFault) {
    if faults.count < Self.maximumFaults { faults.append(fault) }
  }

  /// Notes what is odd but no fault.
  func warn(_ warning: ConfigurationFault) {
    if warnings.count < Self.maximumFaults { warnings.append(warning) }
  }

  /// Counts a value; false when the document is too large to go on. The first refusal is a fault.
  func visit() -> Bool {
    visited += 1
    if visited == Self.maximumValues + 1 {
      add(
        ConfigurationFault(
          line: 0, column: 0, key: "",
          message: "the file expands to more than \(Self.maximumValues) values; use fewer aliases"))
    }
    return visited <= Self.maximumValues
  }

  /// The faults in the order of their lines.
  var sorted: [ConfigurationFault] {
    faults.enumerated().sorted {
      ($0.element.line, $0.element.column, $0.offset) < ($1.element.line, $1.element.column, $1.offset)
    }.map(\.element)
  }
}

/// A key that a mapping has twice.
struct DuplicateKey {
  var key: String
  var line: Int
  var column: Int
}
