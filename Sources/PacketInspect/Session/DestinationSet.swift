/// Destinations by key, packed: one array of entries, one of their names' bytes, and one of small slots. A dictionary
/// takes four times the room, and a host has millions of these.
struct DestinationSet: Sendable {
  /// A destination: 40 bytes, and those of its name.
  struct Entry: Sendable {
    /// An address, or where the name's bytes lie: 40 bits of offset, 24 of length.
    fileprivate var value: UInt64
    /// First contact.
    var firstSeen: Timestamp
    /// Latest contact.
    var lastSeen: Timestamp
    /// Every category that it was contacted under.
    var categories: CategorySet
    /// Number of contacts.
    var contacts: UInt32
    /// What the first contact rested on.
    let evidence: Evidence
    /// The category at the latest contact.
    var category: Category
    fileprivate let kind: Kind
    /// True when it changed since it was stored.
    var isUnsaved: Bool

    /// What is known of it.
    var record: DestinationRecord {
      var record = DestinationRecord(
        firstSeen: firstSeen, lastSeen: lastSeen, contacts: contacts, evidence: evidence)
      record.category = category
      record.categories = categories
      return record
    }
  }

  fileprivate enum Kind: UInt8 {
    case domain, v4, v6
  }

  private static let lengthBits: UInt64 = 24
  private static let lengthMask: UInt64 = (1 << lengthBits) - 1

  private var entries: [Entry] = []
  private var names: [UInt8] = []
  /// Open addressing with linear probing; never more than half full. A slot is the entry's number and one, zero is
  /// empty. Two bytes each while the numbers fit.
  private var slots: [UInt16] = []
  private var wideSlots: [UInt32] = []

  var count: Int { entries.count }

  /// The place of a key, or nil.
  func place(of key: DestinationKey) -> Int? {
    let size = slotCount
    guard size > 0 else { return nil }
    var slot = key.hashValue & (size - 1)
    while case let number = self[slot: slot], number > 0 {
      if isEntry(number - 1, key) { return number - 1 }
      slot = (slot + 1) & (size - 1)
    }
    return nil
  }

  /// The entry at a place that `place(of:)` gave.
  subscript(place: Int) -> Entry {
    get { entries[place] }
    _modify { yield &entries[place] }
  }

  /// The key at a place.
  func key(at place: Int) -> DestinationKey {
    let entry = entries[place]
    switch entry.kind {
    case .domain: return .domain(String(decoding: names[range(of: entry)], as: UTF8.self))
    case .v4: return .v4(UInt32(truncatingIfNeeded: entry.value))
    case .v6: return .v6(entry.value)
    }
  }

  /// Adds a key that is not there.
  mutating func insert(_ key: DestinationKey, _ record: DestinationRecord, isUnsaved: Bool) {
    let (kind, value) = pack(key)
    // Not to twice the size, which would leave a quarter unused on average; nothing in it has to be counted to be moved.
    if entries.count == entries.capacity { entries.reserveCapacity(entries.count + max(8, entries.count / 16)) }
    entries.append(
      Entry(
        value: value, firstSeen: record.firstSeen, lastSeen: record.lastSeen, categories: record.categories,
        contacts: record.contacts, evidence: record.evidence, category: record.category, kind: kind,
        isUnsaved: isUnsaved))
    if entries.count * 2 > slotCount { rebuild() } else { link(key, at: entries.count - 1) }
  }

  /// Removes the entries at the places for which `isGone` holds. Moves all others: for what happens rarely.
  mutating func removeAll(where isGone: (Int) -> Bool) {
    let kept = entries.indices.filter { !isGone($0) }
    guard kept.count < entries.count else { return }
    let before = entries
    let namesBefore = names
    entries = []
    entries.reserveCapacity(kept.count)
    names = []
    for place in kept {
      var entry = before[place]
      if entry.kind == .domain { entry.value = keep(namesBefore[range(of: entry)]) }
      entries.append(entry)
    }
    rebuild()
  }

  private mutating func pack(_ key: DestinationKey) -> (Kind, UInt64) {
    switch key {
    case .domain(let name): (.domain, keep(name.utf8))
    case .v4(let address): (.v4, UInt64(address))
    case .v6(let high): (.v6, high)
    }
  }

  private mutating func keep(_ name: some Collection<UInt8>) -> UInt64 {
    let offset = names.count
    let length = min(name.count, Int(Self.lengthMask))
    if offset + length > names.capacity { names.reserveCapacity(offset + length + max(64, offset / 16)) }
    names.append(contentsOf: name.prefix(length))
    return UInt64(offset) << Self.lengthBits | UInt64(length)
  }

  private func range(of entry: Entry) -> Range<Int> {
    let offset = Int(entry.value >> Self.lengthBits)
    return offset..<offset + Int(entry.value & Self.lengthMask)
  }

  private func isEntry(_ place: Int, _ key: DestinationKey) -> Bool {
    let entry = entries[place]
    switch key {
    case .v4(let address): return entry.kind == .v4 && entry.value == UInt64(address)
    case .v6(let high): return entry.kind == .v6 && entry.value == high
    case .domain(let name):
      guard entry.kind == .domain else { return false }
      var offset = Int(entry.value >> Self.lengthBits)
      guard name.utf8.count == Int(entry.value & Self.lengthMask) else { return false }
      for byte in name.utf8 {
        if names[offset] != byte { return false }
        offset += 1
      }
      return true
    }
  }

  // MARK: Slots

  private var slotCount: Int { slots.isEmpty ? wideSlots.count : slots.count }

  private subscript(slot slot: Int) -> Int {
    slots.isEmpty ? Int(wideSlots[slot]) : Int(slots[slot])
  }

  private mutating func rebuild() {
    var size = 8
    while size < entries.count * 2 { size *= 2 }
    // Half of them at most are numbers.
    let isSmall = size <= 1 << 16
    slots = isSmall ? Array(repeating: 0, count: size) : []
    wideSlots = isSmall ? [] : Array(repeating: 0, count: size)
    for place in entries.indices { link(key(at: place), at: place) }
  }

  private mutating func link(_ key: DestinationKey, at place: Int) {
    let size = slotCount
    var slot = key.hashValue & (size - 1)
    while self[slot: slot] > 0 { slot = (slot + 1) & (size - 1) }
    if slots.isEmpty { wideSlots[slot] = UInt32(place + 1) } else { slots[slot] = UInt16(place + 1) }
  }
}
