/// The destinations contacted latest, and how often: who moved a mix. Bounded; the one longest silent goes.
struct RecentHosts: Sendable, Hashable {
  /// Destinations remembered: some five of each of two categories.
  static let maximum = 10
  /// Named in a flag.
  static let maximumNamed = 4

  /// One destination.
  struct Host: Sendable, Hashable {
    var key: DestinationKey
    /// The session's contact number at its latest contact.
    var last: UInt32
    var contacts: UInt16
    var category: Category
  }

  var entries: [Host] = []

  /// Counts a contact.
  mutating func add(_ key: DestinationKey, _ category: Category, at number: UInt32) {
    var oldest = 0
    for place in entries.indices {
      if entries[place].key == key {
        entries[place].last = number
        entries[place].contacts = entries[place].contacts == .max ? .max : entries[place].contacts + 1
        entries[place].category = category
        return
      }
      if entries[place].last < entries[oldest].last { oldest = place }
    }
    let host = Host(key: key, last: number, contacts: 1, category: category)
    if entries.count < Self.maximum { entries.append(host) } else { entries[oldest] = host }
  }

  /// Those of a category that were contacted after a contact's number, most often first.
  func most(in category: Category, since number: UInt32) -> [DestinationKey] {
    entries.filter { $0.category == category && $0.last > number }
      .sorted { ($0.contacts, $0.last) > ($1.contacts, $1.last) }
      .prefix(Self.maximumNamed).map(\.key)
  }

  /// The session's contacts are numbered anew, up to `total`.
  mutating func rebase(to total: UInt32) {
    let latest = entries.map(\.last).max() ?? 0
    for place in entries.indices {
      let age = latest - entries[place].last
      entries[place].last = total > age ? total - age : 0
    }
  }
}
