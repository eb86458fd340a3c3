/// Names that sessions just asked a resolver on this host for. That resolver's own question, which leaves the host a
/// moment later, carries the same name: so it is found out for whom it asks.
///
/// Direct-mapped and of fixed size: a flood of questions overwrites others' names, whose upstream questions are then
/// merely the resolver's own. Of several sessions that ask for one name the latest counts.
public struct RecentQuestions: Sendable {
  /// Slots; a power of two. A resolver asks upstream within milliseconds, so that few names wait at one time; each
  /// slot costs about 300 bytes.
  public static let slots = 4_096
  /// Time in which a resolver's question belongs to the one that was asked, in nanoseconds. An agent whose resolver
  /// needs longer asks again after 5 s (resolv.conf(5), `timeout`), and so renews it.
  public static let patience: Int64 = 5 * 1_000_000_000
  /// Time for which one question shows that this host has a resolver, in nanoseconds: what that does by itself
  /// (renewing what it keeps, checking signatures) comes minutes after the last question.
  public static let resolverMemory: Int64 = 600 * 1_000_000_000

  private struct Question: Sendable {
    var name: HostName
    var session: Int32
    var asked: Timestamp
  }

  private var table: [Question?] = []
  private var latest: Timestamp?
  private let seed: UInt64

  /// No question. The seed keeps an agent from choosing whose slot it takes.
  public init(seed: UInt64) { self.seed = seed }

  /// Notes that a session asks a resolver on this host for a name.
  public mutating func note(_ name: HostName, session: Int32, at now: Timestamp) {
    if table.isEmpty { table = Array(repeating: nil, count: Self.slots) }
    table[slot(name)] = Question(name: name, session: session, asked: now)
    latest = now
  }

  /// The session that asked for a name last, and when; nil when nobody did lately.
  public func asker(of name: HostName, at now: Timestamp) -> (session: Int32, asked: Timestamp)? {
    guard !table.isEmpty, let question = table[slot(name)], question.name == name, now >= question.asked,
      now.since(question.asked) <= Self.patience
    else { return nil }
    return (question.session, question.asked)
  }

  /// True when this host has lately been asked as a resolver.
  public func knowsResolver(at now: Timestamp) -> Bool {
    guard let latest else { return false }
    return now >= latest && now.since(latest) <= Self.resolverMemory
  }

  /// Over the bytes, not the name's own hash: that has no key, and names that share it would share a slot.
  private func slot(_ name: HostName) -> Int {
    var hash = seed
    let bytes = name.span
    for index in bytes.indices {
      hash = (hash ^ UInt64(bytes[index])) &* 0x9fb2_1c65_1e98_df25
      hash ^= hash >> 29
    }
    return Int(truncatingIfNeeded: hash >> 40) & (Self.slots - 1)
  }
}
