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

  /// Names kept over all addresses: with the longest names about 45 MB, with real ones 10 MB.
  public static let maximumNames = 131_072

  private struct Answer: Sendable {
    var name: [UInt8]
    var session: Int32
    var expires: Timestamp
    var answered: Timestamp
  }

  private var answers: [IPAddress: [Answer]] = [:]
  /// Each address once, the one first answered first, with the answer it stands here for.
  private var order: [(address: IPAddress, answered: Timestamp)] = []

  /// Nothing known.
  public init() {}

  /// Number of addresses that have a name.
  public var count: Int { answers.count }
  /// Number of names over all addresses.
  public private(set) var nameCount = 0

  /// Notes that a trusted resolver gave `name` this address.
  public mutating func learn(
    _ name: HostName, address: IPAddress, timeToLive: UInt32, session: Int32, at now: Timestamp
  ) {
    let key = address.canonical
    let seconds = Int64(min(timeToLive, Self.maximumTimeToLive))
    let expires = now.advanced(byNanoseconds: seconds * 1_000_000_000 + Self.grace)
    let answer = Answer(name: name.bytes, session: session, expires: expires, answered: now)
    let before = answers[key]?.count ?? 0
    if before == 0 { order.append((key, now)) }
    let after = Self.add(answer, to: &answers[key, default: []], at: now)
    nameCount += after - before
    if answers.count > Self.maximumAddresses || nameCount > Self.maximumNames { forgetSome() }
  }

  private static func add(_ answer: Answer, to list: inout [Answer], at now: Timestamp) -> Int {
    // What has expired stays until its place is needed: a connection may be older than that.
    list.removeAll { $0.name == answer.name }
    if list.count >= namesPerAddress { list.remove(at: list.firstIndex { $0.expires < now } ?? 0) }
    list.append(answer)
    return list.count
  }

  /// True when a trusted resolver's answer, to any session, gave `name` this address and was good at `now`
  /// or is so since.
  public func corroborates(_ name: HostName, address: IPAddress, at now: Timestamp) -> Bool {
    guard let list = answers[address.canonical] else { return false }
    return list.contains { $0.expires >= now && name.equals($0.name) }
  }

  /// True when a trusted resolver's answer gave `name` this address, however long ago.
  func knows(_ name: HostName, address: IPAddress) -> Bool {
    answers[address.canonical]?.contains { name.equals($0.name) } ?? false
  }

  /// The name that this session most recently got this address for.
  public func latestName(for address: IPAddress, session: Int32, at now: Timestamp) -> HostName? {
    guard let list = answers[address.canonical] else { return nil }
    let latest = list.last { $0.session == session && $0.expires >= now }
    return latest.flatMap { HostName($0.name.rawSpan) }
  }

  /// Forgets an eighth, so that a full memory does not cost every answer a pass over all of it: what was answered
  /// longest ago first. The order is the memory's own, or a replay could not be repeated.
  private mutating func forgetSome() {
    let addresses = Self.maximumAddresses - Self.maximumAddresses / 8
    let names = Self.maximumNames - Self.maximumNames / 8
    var seen = 0
    // Each is passed over once at most, when it was answered again since it took its place.
    let rounds = 2 * order.count
    while seen < min(rounds, order.count), answers.count > addresses || nameCount > names {
      let place = order[seen]
      seen += 1
      guard let list = answers[place.address], let latest = list.last?.answered else { continue }
      if latest > place.answered {
        order.append((place.address, latest))
      } else {
        nameCount -= list.count
        answers[place.address] = nil
      }
    }
    order.removeFirst(seen)
  }
}

extension HostName {
  /// The name's bytes.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(count)
    // Through a span, here and below: indexing the name itself copies all of it first, for every byte.
    let own = span
    for index in own.indices { out.append(own[index]) }
    return out
  }

  /// True when the name's bytes are these.
  public func equals(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == count else { return false }
    let own = span
    for index in own.indices where own[index] != bytes[index] { return false }
    return true
  }
}
