/// Destinations by key, packed: one array of entries and one of small slots. A dictionary takes three times the room,
/// and a host has millions of these.
struct DestinationSet: Sendable {
  /// A destination.
  struct Entry: Sendable {
    let key: DestinationKey
    var record: DestinationRecord
    /// True when it changed since it was stored.
    var isUnsaved: Bool
  }

  private static let empty = UInt32.max

  private(set) var entries: [Entry] = []
  /// Open addressing with linear probing; never more than half full.
  private var slots: [UInt32] = []

  var count: Int { entries.count }

  /// The place of a key in `entries`, or nil.
  func place(of key: DestinationKey) -> Int? {
    guard !slots.isEmpty else { return nil }
    var slot = key.hashValue & (slots.count - 1)
    while slots[slot] != Self.empty {
      if entries[Int(slots[slot])].key == key { return Int(slots[slot]) }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// The entry at a place that `place(of:)` gave.
  subscript(place: Int) -> Entry {
    get { entries[place] }
    _modify { yield &entries[place] }
  }

  /// Adds a key that is not there.
  mutating func insert(_ entry: Entry) {
    if (entries.count + 1) * 2 > slots.count {
      entries.append(entry)
      rebuild()
    } else {
      link(entry.key, at: UInt32(entries.count))
      entries.append(entry)
    }
  }

  /// Removes all entries for which `isGone` holds. Rebuilds the slots: for what happens rarely.
  mutating func removeAll(where isGone: (Entry) -> Bool) {
    let before = entries.count
    entries.removeAll(where: isGone)
    if entries.count < before { rebuild() }
  }

  private mutating func rebuild() {
    var size = 8
    while size < (entries.count + 1) * 2 { size *= 2 }
    slots = Array(repeating: Self.empty, count: size)
    for (number, entry) in entries.enumerated() { link(entry.key, at: UInt32(number)) }
  }

  private mutating func link(_ key: DestinationKey, at number: UInt32) {
    var slot = key.hashValue & (slots.count - 1)
    while slots[slot] != Self.empty { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = number
  }
}
