/// The keys of names met lately: asking the Public Suffix List costs more than all the rest of a DNS question.
///
/// Direct-mapped and of fixed size, with a secret seed: a flood of names makes it useless, never large. An entry holds
/// its whole name and answers for that name only. The list never changes while the program runs.
struct DestinationKeyCache: Sendable {
  /// Entries; a power of two. At under a third of a kilobyte each, half a megabyte: enough for what a host's agents
  /// have in use at a time.
  static let slots = 2_048

  // Apart, so that a name is compared where it lies and a key given out without it.
  private var names: [HostName] = []
  private var keys: [DestinationKey?] = []
  private let seed: UInt64
  private let hash: KeyedHash

  /// `seed` keys the table, `hash` what is not shown of a name.
  init(seed: UInt64, hash: KeyedHash) {
    self.seed = seed
    self.hash = hash
  }

  /// The key of a name.
  mutating func key(of name: HostName, registrable: some RegistrableDomains) -> DestinationKey {
    if keys.isEmpty {
      names = Array(repeating: name, count: Self.slots)
      keys = Array(repeating: nil, count: Self.slots)
    }
    let mixed = (name.hash ^ seed) &* 0xd6e8_feb8_6659_fd93
    let slot = Int(truncatingIfNeeded: mixed >> 40) & (Self.slots - 1)
    if let known = keys[slot], names[slot] == name { return known }
    let key = DestinationKey(name, registrable: registrable, hash: hash)
    names[slot] = name
    keys[slot] = key
    return key
  }
}
