/// Which names trusted resolvers gave which addresses, for how long: what corroborates a claimed name.
///
/// Bounded per address and in all, so that an agent that looks up names without end makes the daemon forget,
/// never grow: what is forgotten is merely charged to its address.
public struct NameMemory: Sendable {
  /// Names kept for one address; a content network has thousands, and the latest are the ones in use.
  public static let namesPerAddress = 64
  /// Addresses kept.
  public static let maximumAddresses = 65_536
  /// Time after a record's TTL in which clients are known to go on using it, in nanoseconds.
  public static let grace: Int64 = 60 * 1_000_000_000
  /// The longest time an answer counts, whatever its TTL says, in seconds (RFC 8767 section 4 caps at days; agents'
  /// sessions are shorter).
  public static let maximumTimeToLive: UInt32 = 86_400

  private struct Answer: Sendable {
    var name: [UInt8]
    var session: Int32
    var expires: Timestamp
    var answered: Timestamp
  }

  private var answers: [IPAddress: [Answer]] = [:]

  /// Nothing known.
  public init() {}

  /// Number of addresses that have a name.
  public var count: Int { answers.count }

  /// Notes that a trusted resolver gave `name` this address.
  public mutating func learn(
    _ name: HostName, address: IPAddress, timeToLive: UInt32, session: Int32, at now: Timestamp
  ) {
    let key = address.canonical
    let seconds = Int64(min(timeToLive, Self.maximumTimeToLive))
    let expires = now.advanced(byNanoseconds: seconds * 1_000_000_000 + Self.grace)
    let bytes = name.bytes
    var list = answers[key] ?? []
    list.removeAll { $0.expires < now || $0.name == bytes }
    if list.count >= Self.namesPerAddress { list.removeFirst() }
    list.append(Answer(name: bytes, session: session, expires: expires, answered: now))
    if answers[key] == nil, answers.count >= Self.maximumAddresses { forgetSome(at: now) }
    answers[key] = list
  }

  /// True when a trusted resolver's answer, to any session, gave `name` this address and is still good.
  public func corroborates(_ name: HostName, address: IPAddress, at now: Timestamp) -> Bool {
    guard let list = answers[address.canonical] else { return false }
    return list.contains { $0.expires >= now && name.equals($0.name) }
  }

  /// The name that this session most recently got this address for.
  public func latestName(for address: IPAddress, session: Int32, at now: Timestamp) -> HostName? {
    guard let list = answers[address.canonical] else { return nil }
    let latest = list.last { $0.session == session && $0.expires >= now }
    return latest.flatMap { HostName($0.name.rawSpan) }
  }

  /// Forgets what is over; if nothing is, an eighth of everything.
  private mutating func forgetSome(at now: Timestamp) {
    answers = answers.filter { $0.value.contains { $0.expires >= now } }
    guard answers.count >= Self.maximumAddresses else { return }
    for key in Array(answers.keys.prefix(Self.maximumAddresses / 8)) { answers[key] = nil }
  }
}

extension HostName {
  /// The name's bytes.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(count)
    for index in 0..<count { out.append(self[index]) }
    return out
  }

  /// True when the name's bytes are these.
  public func equals(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == count else { return false }
    for index in 0..<count where self[index] != bytes[index] { return false }
    return true
  }
}
