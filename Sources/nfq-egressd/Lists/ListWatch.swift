import PacketInspect

/// How far the reading of a list has come.
struct ListProgress: Sendable, CustomStringConvertible {
  enum Stage: String, Sendable {
    case reading, indexing
  }

  var list: String
  var stage: Stage
  /// Lines read, or names in the index.
  var done: Int
  /// 0 to 100.
  var percent: Int

  /// `list NAME: reading, 1500000 lines, 35 %`.
  var description: String {
    "list \(quoted(list)): \(stage.rawValue), \(done) \(stage == .reading ? "lines" : "names"), \(percent) %"
  }
}

/// Whoever wants to know how a list is read, or to end it.
struct ListWatch: Sendable {
  /// Time between two words about one list, in nanoseconds.
  static let interval: Int64 = 2_000_000_000

  var tell: @Sendable (ListProgress) -> Void = { _ in }
  /// What is said of files that cannot be used and are made again.
  var warn: @Sendable (String) -> Void = { _ in }
  var isStopped: @Sendable () -> Bool = { false }
}
