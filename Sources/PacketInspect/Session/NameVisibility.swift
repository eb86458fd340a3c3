/// Whether a session's names are looked up where it is seen.
///
/// A session that does so and then stops shows in names it contacts which neither it nor anybody else was seen to ask
/// for. Each adds one to a count, and each question that is seen takes one off: a client with a few names of its own
/// (a hosts file, names cached before the daemon began) never gets far, one that asks elsewhere does.
struct NameVisibility: Sendable {
  /// Distinct names in the count at which the session is said to hide its questions.
  static let limit = 10

  private var hasAsked = false
  /// Keyed hashes of the names in the count, oldest first.
  private var hidden: [UInt64] = []

  /// Notes a question that was seen.
  mutating func noteQuestion() {
    hasAsked = true
    if !hidden.isEmpty { hidden.removeFirst() }
  }

  /// Notes a name that was contacted without a question. True when that makes the count reach its limit.
  mutating func noteHidden(_ name: UInt64) -> Bool {
    guard hasAsked, hidden.count < Self.limit, !hidden.contains(name) else { return false }
    hidden.append(name)
    return hidden.count == Self.limit
  }
}
