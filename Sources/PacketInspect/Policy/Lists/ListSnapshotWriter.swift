/// Writes a snapshot as its entries come: names stream out at once, so that no list is ever in memory as a whole; the
/// index over them is made at the end, in the place that the caller has found for it.
///
/// In this order: `add` all entries, writing out what `takeRecords` gives whenever `pendingBytes` has grown; `layOut`;
/// make the target as large as it says, `SnapshotHeader.size` bytes, then the records; `fill`.
public struct ListSnapshotWriter {
  /// Bytes before the first record.
  public static let recordsStart = SnapshotHeader.size
  /// Names in one list: three times the largest we know of, and what a slot can point to with names of some 60 bytes.
  public static let maximumDomains = 16 << 20
  /// Ranges in one list: eight times the largest we know of. They are in memory until they are in order.
  public static let maximumNetworks = 4 << 20

  private var header = SnapshotHeader()
  private var pending: [UInt8] = []
  private var networks4 = NetworkIntervals<UInt32>()
  private var networks6 = NetworkIntervals<UInt128>()
  private var note: [UInt8] = []
  /// What was read ahead of use; kept, lest the compiler leave out the reading.
  private var touched: UInt64 = 0

  /// `key` is secret: it keeps a list's author from making lookups slow.
  public init(key: (UInt64, UInt64)) { header.key = key }

  /// Names added; those that are there twice are counted twice.
  public var domains: Int { header.domains }
  /// Ranges added; likewise.
  public var networks: Int { networks4.count + networks6.count }
  /// Bytes that wait to be taken.
  public var pendingBytes: Int { pending.count }

  /// Adds a name and all below it. False when there are too many.
  public mutating func add(_ name: HostName, line: Int) -> Bool {
    guard name.count > 0 else { return true }
    let size = 5 + name.count
    // The names of one list reach as far as a slot can point.
    guard header.domains < Self.maximumDomains, header.namesEnd + size + 8 <= SnapshotHeader.maximumNames else {
      return false
    }
    header.domains += 1
    header.namesEnd += size
    header.longestName = max(header.longestName, name.count)
    let number = UInt32(clamping: line)
    pending.append(UInt8(name.count))
    for shift: UInt32 in [24, 16, 8, 0] { pending.append(UInt8(truncatingIfNeeded: number >> shift)) }
    pending.append(name.rawSpan)
    return true
  }

  /// Adds a range. False when there are too many.
  public mutating func add(_ network: IPNetwork, line: Int) -> Bool {
    guard networks < Self.maximumNetworks else { return false }
    let address = network.address
    if address.isIPv4 {
      networks4.add(address.v4, prefixLength: network.prefixLength, line: line)
    } else {
      networks6.add(
        UInt128(address.high) << 64 | UInt128(address.low), prefixLength: network.prefixLength, line: line)
    }
    return true
  }

  /// Gives out the records that wait; they follow those given out before.
  public mutating func takeRecords<Failure: Error>(_ write: (RawSpan) throws(Failure) -> Void) throws(Failure) {
    try write(pending.rawSpan)
    pending.removeAll(keepingCapacity: true)
  }

  /// Ends the adding and gives the size of the whole. `note` is kept for whoever opens the snapshot.
  public mutating func layOut(note: [UInt8]) -> Int {
    self.note = note
    // What begins behind the names does so at a multiple of eight.
    let padding = (8 - header.namesEnd % 8) % 8
    header.namesEnd += padding
    pending.append(contentsOf: repeatElement(0, count: padding))
    // Two of three slots are taken: 12 bytes a name, and an absent one is known after some five slots that lie side
    // by side.
    header.slots = header.domains == 0 ? 0 : header.domains + header.domains / 2 + 1
    networks4.settle()
    networks6.settle()
    header.networks = networks
    networks4.forEach { _, _, _ in header.intervals4 += 1 }
    networks6.forEach { _, _, _ in header.intervals6 += 1 }
    header.note = note.count
    header.fileSize = header.notesStart + note.count
    return header.fileSize
  }

  /// Makes the index. `progress` is told now and then how many names are in it, and says whether to go on; false when
  /// it said no. What `source` says stands in the header.
  public mutating func fill(
    _ target: some SnapshotTarget, source: SnapshotSource, progress: (Int) -> Bool = { _ in true }
  ) -> Bool {
    guard fillSlots(target, progress) else { return false }
    Self.fill(header.networks4, networks4, target)
    Self.fill(header.networks6, networks6, target)
    for (index, byte) in note.enumerated() { target.put(byte: byte, at: header.notesStart + index) }
    header.source = source
    header.write(to: target)
    return true
  }

  /// Puts the checksum, when all else is there.
  public static func seal(_ target: some SnapshotTarget) {
    let sum = target.withBytes { bytes in
      var sum = SnapshotChecksum()
      sum.add(bytes.extracting(droppingFirst: SnapshotHeader.checkedFrom))
      return sum.value
    }
    target.put(sum, at: ListSnapshot.checksumOffset)
  }

  private mutating func fillSlots(_ target: some SnapshotTarget, _ progress: (Int) -> Bool) -> Bool {
    let added = header.domains
    header.domains = 0
    var offset = SnapshotHeader.size
    var number = 0
    while number < added {
      if number % 65_536 == 0, !progress(number) { return false }
      let count = min(Self.batch, added - number)
      var batch = Batch()
      target.withBytes { bytes in
        for index in 0..<count {
          let length = Int(bytes.byte(at: offset))
          let (hash, labels) = SuffixHash.of(bytes, offset + 5, offset + 5 + length, key: header.key)
          let slot = ListSnapshot.firstSlot(hash, of: header.slots)
          batch.entries[index] = Batch.Entry(offset: offset, hash: hash, labels: labels, slot: slot)
          // All slots are asked for before any is looked at: memory brings them at the same time.
          batch.touched &+= bytes.u64(at: header.slotsStart + 8 * slot)
          offset += 5 + length
        }
      }
      for index in 0..<count { insert(batch.entries[index], target) }
      touched &+= batch.touched
      number += count
    }
    return true
  }

  /// Names that are hashed before they are put in.
  private static let batch = 16

  private struct Batch {
    struct Entry {
      var offset = 0
      var hash: UInt64 = 0
      var labels = 0
      var slot = 0
    }

    var entries = InlineArray<16, Entry>(repeating: Entry())
    var touched: UInt64 = 0
  }

  private mutating func insert(_ entry: Batch.Entry, _ target: some SnapshotTarget) {
    let mark = UInt64(UInt32(truncatingIfNeeded: entry.hash)) << 32
    let place = target.withBytes { self.place(of: entry, mark, $0) }
    guard let place else { return }
    target.put(mark | UInt64(entry.offset), at: header.slotsStart + 8 * place.slot)
    let word = header.filter.offset(of: entry.hash)
    let others = target.withBytes { $0.u64(at: word) }
    target.put(others | NameFilter.bits(of: entry.hash), at: word)
    header.longestProbe = max(header.longestProbe, place.probe)
    header.labels |= 1 << UInt64(min(entry.labels, 63))
    header.domains += 1
  }

  /// The slot for a name and how many were looked at to find it; nil when the name is there already: its first entry
  /// stays.
  private func place(of entry: Batch.Entry, _ mark: UInt64, _ bytes: RawSpan) -> (slot: Int, probe: Int)? {
    let length = Int(bytes.byte(at: entry.offset))
    var slot = entry.slot
    var probe = 1
    while true {
      let value = bytes.u64(at: header.slotsStart + 8 * slot)
      if value == 0 { return (slot, probe) }
      if value & 0xffff_ffff_0000_0000 == mark {
        // With the byte of its length, which stands five bytes before the name.
        let other = Int(value & 0xffff_ffff)
        if bytes.byte(at: other) == UInt8(truncatingIfNeeded: length),
          bytes.extracting(other + 5..<other + 5 + length)
            .equals(bytes.extracting(entry.offset + 5..<entry.offset + 5 + length))
        {
          return nil
        }
      }
      slot = slot + 1 == header.slots ? 0 : slot + 1
      probe += 1
    }
  }

  private static func fill<Key>(
    _ section: NetworkSection, _ intervals: NetworkIntervals<Key>, _ target: some SnapshotTarget
  ) {
    var index = 0
    intervals.forEach { key, prefixLength, line in
      section.put(index, beginning: key, prefixLength: prefixLength, line: line, into: target)
      index += 1
    }
    section.putIndex(into: target)
  }
}
