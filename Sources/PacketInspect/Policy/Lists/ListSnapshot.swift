/// A list of names and address ranges that never changes, as it lies in a file: opened by looking at its header,
/// whatever its size, and asked without allocation or lock.
///
/// Names are found by a keyed hash and then compared, so an answer is exact. Nothing in the bytes is believed: those
/// of a damaged file can give a wrong answer, but every offset in them is checked before it is followed. docs/lists.md
/// describes the format.
public final class ListSnapshot: Sendable {
  /// Where the checksum stands, which covers all that follows `checkedFrom`.
  public static let checksumOffset = 16
  /// Where what the checksum covers begins.
  public static let checkedFrom = SnapshotHeader.checkedFrom

  private let storage: any SnapshotBytes
  private let key: (UInt64, UInt64)
  private let namesEnd: Int
  private let slots: Int
  private let filter: NameFilter
  private let longestProbe: Int
  private let longestName: Int
  private let labels: UInt64
  private let networks4: NetworkSection
  private let networks6: NetworkSection
  private let noteRange: Range<Int>

  /// What it was made of.
  public let source: SnapshotSource
  /// Number of different names.
  public let domains: Int
  /// Number of different ranges.
  public let networks: Int
  /// Bytes of the whole.
  public let size: Int

  /// Opens a snapshot. The checksum is taken over all of `storage`, unless the caller has taken it already: of a file,
  /// it can do so without mapping every page.
  public init(_ storage: any SnapshotBytes, checksum: UInt64? = nil) throws(SnapshotError) {
    let header = try storage.withBytes { bytes throws(SnapshotError) in
      let header = try SnapshotHeader(bytes)
      var sum = SnapshotChecksum()
      if checksum == nil { sum.add(bytes.extracting(droppingFirst: Self.checkedFrom)) }
      guard bytes.u64(at: Self.checksumOffset) == checksum ?? sum.value else { throw .checksum }
      return header
    }
    self.storage = storage
    key = header.key
    namesEnd = header.namesEnd
    slots = header.slots
    filter = header.filter
    longestProbe = header.longestProbe
    longestName = header.longestName
    labels = header.labels
    networks4 = header.networks4
    networks6 = header.networks6
    noteRange = header.notesStart..<header.fileSize
    source = header.source
    domains = header.domains
    networks = header.networks
    size = header.fileSize
  }

  /// A list in memory. Entries beyond the writer's limits are left out.
  public convenience init(
    names: [(name: HostName, line: Int)] = [], networks: [(network: IPNetwork, line: Int)] = [],
    key: (UInt64, UInt64) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)
  ) {
    var writer = ListSnapshotWriter(key: key)
    for entry in names { _ = writer.add(entry.name, line: entry.line) }
    for entry in networks { _ = writer.add(entry.network, line: entry.line) }
    let array = writer.array(note: [], source: SnapshotSource(size: 0, modified: 0, checksum: 0, reading: 0))
    do throws(SnapshotError) {
      try self.init(SnapshotArray(array))
    } catch {
      preconditionFailure("what was just written cannot be read")
    }
  }

  /// What the writer was given beside entries.
  public var note: [UInt8] { storage.withBytes { $0.extracting(noteRange).array() } }

  /// Bytes of the index over names, which every lookup may touch: those of the file that are worth having in memory.
  public var index: Range<Int> { namesEnd..<filter.end }

  /// An entry that covers a name.
  public struct NameMatch: Hashable, Sendable {
    /// Its line in the list.
    public var line: Int
    /// Its length: so many bytes from the end of the name are the entry.
    public var length: Int

    /// A match.
    public init(line: Int, length: Int) {
      self.line = line
      self.length = length
    }
  }

  /// The most specific entry that is `name` or a parent of it.
  public func match(_ name: HostName) -> NameMatch? { match(name: name.rawSpan) }

  /// The same for a name as `HostName` has it: in lower case, without a final dot.
  public func match(name: RawSpan) -> NameMatch? {
    guard slots > 0, name.byteCount > 0 else { return nil }
    return storage.withBytes { match(name, $0) }
  }

  /// Ends of a name that may be entries.
  private struct Candidates {
    static let capacity = 8

    /// Hashes, then where in the name they begin.
    var hashes = InlineArray<8, UInt64>(repeating: 0)
    var starts = InlineArray<8, Int>(repeating: 0)
    var count = 0
  }

  private func match(_ text: RawSpan, _ bytes: RawSpan) -> NameMatch? {
    let count = text.byteCount
    var hash = SuffixHash(key: key)
    var candidates = Candidates()
    var found: NameMatch?
    var labels = 0
    var stop = count
    while true {
      let start = SuffixHash.labelStart(text, 0, stop)
      // No end of a name that is longer than any entry can be one, however many labels an agent writes.
      guard count - start <= longestName else { break }
      hash.take(text, start, stop)
      labels += 1
      if self.labels >> UInt64(min(labels, 63)) & 1 != 0, start < stop {
        candidates.hashes[candidates.count] = hash.value
        candidates.starts[candidates.count] = start
        candidates.count += 1
        if candidates.count == Candidates.capacity {
          found = longest(&candidates, bytes, text) ?? found
        }
      }
      guard start > 0 else { break }
      stop = start - 1
    }
    return longest(&candidates, bytes, text) ?? found
  }

  /// The longest of the candidates that is an entry, and no candidates any more.
  @inline(__always)
  private func longest(_ candidates: inout Candidates, _ bytes: RawSpan, _ text: RawSpan) -> NameMatch? {
    let count = candidates.count
    candidates.count = 0
    // All words are asked for before any is looked at: memory brings them at the same time.
    var words = InlineArray<8, UInt64>(repeating: 0)
    for index in 0..<count { words[index] = bytes.u64(at: filter.offset(of: candidates.hashes[index])) }
    var index = count - 1
    while index >= 0 {
      let (hash, start) = (candidates.hashes[index], candidates.starts[index])
      let bits = NameFilter.bits(of: hash)
      if words[index] & bits == bits, let line = lookUp(hash, bytes, text, from: start) {
        return NameMatch(line: line, length: text.byteCount - start)
      }
      index -= 1
    }
    return nil
  }

  @inline(__always)
  private func lookUp(_ hash: UInt64, _ bytes: RawSpan, _ text: RawSpan, from start: Int) -> Int? {
    let mark = UInt32(truncatingIfNeeded: hash)
    var slot = Self.firstSlot(hash, of: slots)
    for _ in 0..<longestProbe {
      let value = bytes.u64(at: namesEnd &+ 8 &* slot)
      if value == 0 { return nil }
      if UInt32(truncatingIfNeeded: value >> 32) == mark,
        let line = line(at: Int(value & 0xffff_ffff), bytes, text, from: start)
      {
        return line
      }
      slot = slot &+ 1 == slots ? 0 : slot &+ 1
    }
    return nil
  }

  /// The line of the record at `offset`, if its name is the end of `text`.
  private func line(at offset: Int, _ bytes: RawSpan, _ text: RawSpan, from start: Int) -> Int? {
    let length = text.byteCount - start
    guard offset >= SnapshotHeader.size, offset + 5 + length <= namesEnd,
      Int(bytes.byte(at: offset)) == length,
      bytes.extracting(offset + 5..<offset + 5 + length).equals(text.extracting(droppingFirst: start))
    else { return nil }
    return Int(bytes.u32(at: offset + 1))
  }

  /// Where the search for a hash begins: its upper bits spread over all slots.
  @inline(__always)
  static func firstSlot(_ hash: UInt64, of slots: Int) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(truncatingIfNeeded: slots)).high)
  }

  /// A range that holds an address.
  public struct NetworkMatch: Hashable, Sendable {
    /// Its line in the list.
    public var line: Int
    /// The range.
    public var network: IPNetwork

    /// A match.
    public init(line: Int, network: IPNetwork) {
      self.line = line
      self.network = network
    }
  }

  /// The range with the longest prefix that holds `address`.
  public func match(_ address: IPAddress) -> NetworkMatch? {
    let found = storage.withBytes { bytes in
      address.isIPv4 ? networks4.match4(address.v4, bytes) : networks6.match6(address.high, address.low, bytes)
    }
    guard let found, let network = IPNetwork(address, prefixLength: found.prefixLength) else { return nil }
    return NetworkMatch(line: found.line, network: network)
  }
}

extension ListSnapshotWriter {
  /// The snapshot as an array, when nothing was taken before.
  public consuming func array(note: [UInt8], source: SnapshotSource) -> [UInt8] {
    let size = layOut(note: note)
    var bytes = [UInt8](repeating: 0, count: Self.recordsStart)
    takeRecords { bytes.append($0) }
    let target = SnapshotArrayTarget(bytes, size: size)
    bytes = []
    _ = fill(target, source: source)
    Self.seal(target)
    return target.array
  }
}
