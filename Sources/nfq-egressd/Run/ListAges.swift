import PacketInspect

/// Notes when lists grow older than their `maxAge`: whatever keeps them fresh has stopped.
struct ListAges {
  /// A list that has become too old.
  struct Stale: Equatable {
    var list: String
    /// Seconds since it was last written.
    var age: Int64
    /// Its `maxAge` in seconds.
    var limit: Int64
  }

  private var told: Set<String> = []

  /// Lists that are too old now.
  var count: Int { told.count }

  /// The lists that have become too old since the last look. Their files are looked at anew: a list that is found to be
  /// up to date is touched, not loaded.
  mutating func look(_ lists: [LoadedList], at now: Timestamp) -> [Stale] {
    var stale: [Stale] = []
    var old: Set<String> = []
    for list in lists {
      guard case .file(let path, _) = list.source.origin, let limit = list.source.maxAge?.seconds,
        let modified = (try? FileBytes.look(path).modified) ?? list.modified
      else { continue }
      let age = now.since(modified) / 1_000_000_000
      guard age > limit else { continue }
      old.insert(list.source.name)
      if !told.contains(list.source.name) { stale.append(Stale(list: list.source.name, age: age, limit: limit)) }
    }
    told = old
    return stale
  }
}
