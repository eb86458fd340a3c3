/// The names that flows claimed, kept while they live so that a changed policy can judge them again. Many flows have one
/// name: it is kept once.
struct FlowNames: Sendable {
  private struct Entry: Sendable {
    var bytes: [UInt8]
    /// Flows that have it; 0 while the place is free.
    var users: Int32 = 1
    /// The next one in its bucket, or free.
    var next: Int32
    var claim: Claim
  }

  private var entries: ContiguousArray<Entry> = []
  private var free: Int32 = -1
  private var buckets = SplittingBuckets(capacity: 0)
  private let hash: KeyedHash
  /// Different names kept now.
  private(set) var count = 0

  /// None yet. `seed` is secret in live use: agents choose names.
  init(seed: UInt64) { hash = KeyedHash(key: (seed, ~seed)) }

  subscript(index: Int32) -> (bytes: [UInt8], claim: Claim) {
    let entry = entries[Int(index)]
    return (entry.bytes, entry.claim)
  }

  /// One more flow has this name.
  mutating func take(_ name: HostName, _ claim: Claim) -> Int32 {
    var place = buckets.place(of: hash(name.bytes))
    var index = buckets[place]
    while index >= 0 {
      if entries[Int(index)].claim == claim, entries[Int(index)].bytes == name.bytes {
        entries[Int(index)].users += 1
        return index
      }
      index = entries[Int(index)].next
    }
    if count >= buckets.count {
      split()
      place = buckets.place(of: hash(name.bytes))
    }
    let entry = Entry(bytes: name.bytes, next: -1, claim: claim)
    if free >= 0 {
      index = free
      free = entries[Int(index)].next
      entries[Int(index)] = entry
    } else {
      index = Int32(entries.count)
      entries.append(entry)
    }
    chain(index, to: place)
    count += 1
    return index
  }

  /// One flow less has it.
  mutating func release(_ index: Int32) {
    entries[Int(index)].users -= 1
    guard entries[Int(index)].users == 0 else { return }
    let place = buckets.place(of: hash(entries[Int(index)].bytes))
    if buckets[place] == index {
      buckets[place] = entries[Int(index)].next
    } else {
      var cursor = buckets[place]
      while entries[Int(cursor)].next != index { cursor = entries[Int(cursor)].next }
      entries[Int(cursor)].next = entries[Int(index)].next
    }
    entries[Int(index)].bytes = []
    entries[Int(index)].next = free
    free = index
    count -= 1
  }

  private func hash(_ bytes: [UInt8]) -> UInt64 { hash.hash(bytes.rawSpan, 0..<bytes.count) }

  private mutating func chain(_ index: Int32, to place: Int) {
    entries[Int(index)].next = buckets[place]
    buckets[place] = index
  }

  private mutating func split() {
    var index = buckets.split()
    while index >= 0 {
      let next = entries[Int(index)].next
      chain(index, to: buckets.place(of: hash(entries[Int(index)].bytes)))
      index = next
    }
  }
}
