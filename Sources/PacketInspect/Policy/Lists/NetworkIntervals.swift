/// The ranges of one family on their way into a snapshot.
struct NetworkIntervals<Key: FixedWidthInteger & UnsignedInteger & Sendable> {
  private struct Entry {
    var first: Key
    var line: UInt32
    var prefixLength: UInt8
  }

  private var entries: [Entry] = []

  mutating func add(_ first: Key, prefixLength: Int, line: Int) {
    entries.append(Entry(first: first, line: UInt32(clamping: line), prefixLength: UInt8(clamping: prefixLength)))
  }

  /// Ranges added, until `settle` has taken out what is there twice.
  var count: Int { entries.count }

  /// Puts them in order, and keeps the first of equal ones.
  mutating func settle() {
    entries.sort {
      ($0.first, $0.prefixLength, $0.line) < ($1.first, $1.prefixLength, $1.line)
    }
    var kept = 0
    for index in entries.indices {
      let entry = entries[index]
      if kept > 0, entries[kept - 1].first == entry.first, entries[kept - 1].prefixLength == entry.prefixLength {
        continue
      }
      entries[kept] = entry
      kept += 1
    }
    entries.removeLast(entries.count - kept)
  }

  /// Gives out the intervals, in order: where each begins, and the narrowest range from there on. The first begins at
  /// zero. To be called after `settle`.
  func forEach(_ body: (Key, _ prefixLength: UInt8, _ line: UInt32) -> Void) {
    guard !entries.isEmpty else { return }
    // A range is the next inner one of at most as many others as an address has bits.
    var open: [Entry] = []
    var pending: (Key, UInt8, UInt32) = (0, NetworkSection.none, 0)
    // The last word on a beginning counts, and no interval says what the one before it says.
    var last: (length: UInt8, line: UInt32)?
    func say(_ key: Key, _ length: UInt8, _ line: UInt32) {
      if key != pending.0 { flush() }
      pending = (key, length, line)
    }
    func flush() {
      if let last, last.length == pending.1, last.line == pending.2 { return }
      body(pending.0, pending.1, pending.2)
      last = (pending.1, pending.2)
    }
    func close(before key: Key?) {
      while let top = open.last {
        let end = Self.last(of: top)
        if let key, end >= key { return }
        open.removeLast()
        let next = end.addingReportingOverflow(1)
        guard !next.overflow else { continue }
        say(next.partialValue, open.last?.prefixLength ?? NetworkSection.none, open.last?.line ?? 0)
      }
    }
    for entry in entries {
      close(before: entry.first)
      say(entry.first, entry.prefixLength, entry.line)
      open.append(entry)
    }
    close(before: nil)
    flush()
  }

  private static func last(of entry: Entry) -> Key {
    let length = Int(entry.prefixLength)
    return length == 0 ? .max : length >= Key.bitWidth ? entry.first : entry.first | (.max >> Key(length))
  }
}
