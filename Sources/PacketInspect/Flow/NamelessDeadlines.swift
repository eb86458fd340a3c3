/// TCP flows in the order in which they run out of time to say a name. All wait equally long, so a queue suffices.
struct NamelessDeadlines: Sendable {
  /// Time a flow has to send something before it counts as its address (design, section 6), in nanoseconds.
  static let patience: Int64 = 5 * 1_000_000_000

  private struct Entry: Sendable {
    var flow: Int32
    var id: UInt64
    var deadline: Timestamp
  }

  private var entries: [Entry] = []
  private var head = 0
  /// The flow table's capacity: more cannot be waiting.
  let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  mutating func push(flow: Int32, id: UInt64, at now: Timestamp) {
    guard entries.count - head < capacity else { return }
    if head > 1_024, head * 2 > entries.count {
      entries.removeFirst(head)
      head = 0
    }
    entries.append(Entry(flow: flow, id: id, deadline: now.advanced(byNanoseconds: Self.patience)))
  }

  mutating func popDue(at now: Timestamp) -> (flow: Int32, id: UInt64)? {
    guard head < entries.count, entries[head].deadline <= now else { return nil }
    defer { head += 1 }
    return (entries[head].flow, entries[head].id)
  }
}
