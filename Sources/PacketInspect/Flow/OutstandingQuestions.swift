/// DNS questions on their way to a trusted resolver. Only an answer that matches one (addresses, ports, id, name:
/// RFC 5452 section 9.1) may teach a name.
///
/// Direct-mapped and of fixed size: a flood of questions overwrites older ones, whose names are then merely not
/// corroborated.
public struct OutstandingQuestions: Sendable {
  /// Slots; a power of two. A busy host has some thousand questions under way.
  public static let slots = 16_384
  /// Time a question may wait for its answer, in nanoseconds (stub resolvers give up after 5 to 30 s).
  public static let patience: Int64 = 30 * 1_000_000_000

  private struct Question: Sendable {
    var flow: FlowKey
    var id: UInt16
    var name: HostName
    var session: Int32
    var asked: Timestamp
  }

  private var table: [Question?] = []
  private let seed: UInt64

  /// No question. The seed keeps an agent from choosing whose slot it takes.
  public init(seed: UInt64) { self.seed = seed }

  /// Notes a question.
  public mutating func ask(_ name: HostName, id: UInt16, flow: FlowKey, session: Int32, at now: Timestamp) {
    if table.isEmpty { table = Array(repeating: nil, count: Self.slots) }
    table[slot(flow, id, name)] = Question(flow: flow, id: id, name: name, session: session, asked: now)
  }

  /// The session that asked the question which this answer answers; nil when nobody did. Asked once, answered once.
  public mutating func answer(_ name: HostName, id: UInt16, flow: FlowKey, at now: Timestamp) -> Int32? {
    guard !table.isEmpty else { return nil }
    let slot = slot(flow, id, name)
    guard let question = table[slot], question.id == id, question.flow == flow, question.name == name,
      now.since(question.asked) <= Self.patience
    else { return nil }
    table[slot] = nil
    return question.session
  }

  private func slot(_ flow: FlowKey, _ id: UInt16, _ name: HostName) -> Int {
    var hash = flow.hash(seed: seed) ^ UInt64(id) ^ name.hash
    hash = (hash ^ (hash >> 32)) &* 0xd6e8_feb8_6659_fd93
    return Int(truncatingIfNeeded: hash >> 40) & (Self.slots - 1)
  }
}
