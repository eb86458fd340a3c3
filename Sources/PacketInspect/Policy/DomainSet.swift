/// Where an entry stands: its provenance.
public struct ListPosition: Hashable, Sendable {
  /// Index of the list, as whoever keeps the set numbers them.
  public var list: Int
  /// Line in the list's file, from 1; 0 for built-in or inline entries.
  public var line: Int

  /// A position.
  public init(list: Int, line: Int) {
    self.list = list
    self.line = line
  }
}

/// An immutable set of domains that answers "is this name, or a parent of it, listed?" on label boundaries.
///
/// The entries' text lies in one array and is compared at every hit, so an answer is exact whatever the hash does;
/// the hash is keyed, so that a list's author cannot make a lookup slow.
public struct DomainSet: Sendable {
  private struct Entry {
    var offset: UInt32
    var length: UInt8
    var position: ListPosition
  }

  private var text: [UInt8] = []
  private var entries: [Entry] = []
  /// Open addressing with linear probing; an empty slot is -1; never more than half full.
  private var slots: [Int32] = [-1, -1]
  /// Bytes of the longest entry: no longer end of a name can be one, however many labels an agent writes.
  private var longest = 0
  private let seed: UInt64

  /// An empty set. `seed` is any secret number; tests and replay may leave it.
  public init(seed: UInt64 = 0x9e37_79b9_7f4a_7c15) { self.seed = seed }

  /// Number of domains.
  public var count: Int { entries.count }
  /// True when no domain is listed.
  public var isEmpty: Bool { entries.isEmpty }

  /// Adds a domain and everything below it. The first entry of a domain stays.
  public mutating func insert(_ name: HostName, at position: ListPosition) {
    guard name.count > 0, entries.count < Int(Int32.max) / 4, text.count < Int(UInt32.max) - 256 else { return }
    if (entries.count + 1) * 2 > slots.count { grow() }
    let hash = finish(suffixHash(name))
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      if matches(entries[Int(slots[slot])], name.span, from: 0) { return }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(entries.count)
    longest = max(longest, name.count)
    entries.append(Entry(offset: UInt32(text.count), length: UInt8(name.count), position: position))
    for index in 0..<name.count { text.append(name[index]) }
  }

  /// The most specific entry that is `name` or a parent of it; nil when none is.
  public func match(_ name: HostName) -> ListPosition? {
    guard !entries.isEmpty, name.count > 0 else { return nil }
    var found: ListPosition?
    var hash = seed
    // Through a span: indexing the name itself copies all of it first, for every byte.
    let bytes = name.span
    var index = bytes.count - 1
    let end = max(0, bytes.count - longest)
    // One pass from the right: at each label boundary the hash so far is that of the suffix.
    while index >= end {
      hash = step(hash, bytes[index])
      if index == 0 || bytes[index - 1] == 0x2e, bytes[index] != 0x2e,
        let position = lookup(hash, bytes, from: index)
      {
        found = position
      }
      index -= 1
    }
    return found
  }

  /// The listed domain at a matching position, as text; for provenance.
  public func entryText(matching name: HostName) -> String? {
    guard let position = match(name) else { return nil }
    for start in name.labelStarts {
      let suffix = name.suffix(name.count - start)
      if match(suffix) == position, exact(suffix) == position { return suffix.text }
    }
    return nil
  }

  private func exact(_ name: HostName) -> ListPosition? { lookup(suffixHash(name), name.span, from: 0) }

  private func lookup(_ hash: UInt64, _ name: Span<UInt8>, from start: Int) -> ListPosition? {
    var slot = Int(truncatingIfNeeded: finish(hash)) & (slots.count - 1)
    while slots[slot] >= 0 {
      let entry = entries[Int(slots[slot])]
      if matches(entry, name, from: start) { return entry.position }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private func matches(_ entry: Entry, _ name: Span<UInt8>, from start: Int) -> Bool {
    let length = Int(entry.length)
    guard name.count - start == length else { return false }
    let offset = Int(entry.offset)
    for index in 0..<length where text[offset + index] != name[start + index] { return false }
    return true
  }

  /// The hash of a whole name, unfinished, as `lookup` takes it.
  private func suffixHash(_ name: HostName) -> UInt64 {
    var hash = seed
    let bytes = name.span
    var index = bytes.count - 1
    while index >= 0 {
      hash = step(hash, bytes[index])
      index -= 1
    }
    return hash
  }

  @inline(__always)
  private func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x9fb2_1c65_1e98_df25 }

  @inline(__always)
  private func finish(_ hash: UInt64) -> UInt64 { (hash ^ (hash >> 32) ^ seed) &* 0xd6e8_feb8_6659_fd93 >> 16 }

  private mutating func grow() {
    slots = Array(repeating: -1, count: slots.count * 2)
    for (number, entry) in entries.enumerated() {
      var hash = seed
      var index = Int(entry.length) - 1
      while index >= 0 {
        hash = step(hash, text[Int(entry.offset) + index])
        index -= 1
      }
      var slot = Int(truncatingIfNeeded: finish(hash)) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(number)
    }
  }
}
