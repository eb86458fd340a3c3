/// How a session came by the address of a name that it claims. The values are stable: they stand in events.
public enum Resolution: String, Sendable, CaseIterable {
  /// A trusted resolver gave this session the address for the name.
  case matched = "matched"
  /// The session asked for the name, and was not seen to be given this address.
  case other = "other"
  /// The session was not seen to ask for the name.
  case never = "never"
}

/// Which names each session asked for, and which addresses it was given for them: evidence, not proof.
///
/// Of fixed size, in sets of four of which the oldest gives way: what is forgotten is told as `never`. No time is kept:
/// a client may go on using what it was told once. Entries are keyed hashes; no name is held.
struct ResolvedNames: Sendable {
  /// Entries; a power of two. With two to five for each name of a session, names enough for a thousand sessions.
  static let slots = 131_072
  private static let ways = 4

  private struct Entry: Sendable {
    var tag: UInt64 = 0
    var age: UInt64 = 0
  }

  private var table: [Entry] = []
  private var clock: UInt64 = 0
  private let seed: UInt64

  /// Nothing known. The seed keeps an agent from choosing whose entries it overwrites.
  init(seed: UInt64) { self.seed = seed }

  /// Notes that a session asks for a name.
  mutating func noteQuestion(_ name: HostName, session: UInt64) { insert(tag(name, session)) }

  /// Notes that a session was given an address for a name.
  mutating func noteAnswer(_ name: HostName, _ address: IPAddress, session: UInt64) {
    insert(tag(name, address, session))
  }

  /// What is known of a name, an address and a session.
  func resolution(of name: HostName, _ address: IPAddress, session: UInt64) -> Resolution {
    if contains(tag(name, address, session)) { return .matched }
    return contains(tag(name, session)) ? .other : .never
  }

  /// A keyed hash of a name, for who counts distinct ones.
  func hash(_ name: HostName) -> UInt64 { tag(name, 0) }

  private mutating func insert(_ tag: UInt64) {
    if table.isEmpty { table = Array(repeating: Entry(), count: Self.slots) }
    clock &+= 1
    let start = Self.place(tag)
    var oldest = start
    for place in start..<start + Self.ways {
      if table[place].tag == tag {
        oldest = place
        break
      }
      if table[place].age < table[oldest].age { oldest = place }
    }
    table[oldest] = Entry(tag: tag, age: clock)
  }

  private func contains(_ tag: UInt64) -> Bool {
    guard !table.isEmpty else { return false }
    let start = Self.place(tag)
    for place in start..<start + Self.ways where table[place].tag == tag && table[place].age > 0 { return true }
    return false
  }

  private static func place(_ tag: UInt64) -> Int {
    (Int(truncatingIfNeeded: tag >> 24) & (slots / ways - 1)) * ways
  }

  private func tag(_ name: HostName, _ session: UInt64) -> UInt64 {
    var hash = Self.mix(seed, session)
    let bytes = name.span
    for index in bytes.indices { hash = Self.mix(hash, UInt64(bytes[index])) }
    return hash
  }

  private func tag(_ name: HostName, _ address: IPAddress, _ session: UInt64) -> UInt64 {
    let canonical = address.canonical
    return Self.mix(Self.mix(tag(name, session), canonical.high ^ 0x9fb2_1c65_1e98_df25), canonical.low)
  }

  private static func mix(_ hash: UInt64, _ value: UInt64) -> UInt64 {
    let mixed = (hash ^ value) &* 0x9fb2_1c65_1e98_df25
    return mixed ^ (mixed >> 29)
  }
}
