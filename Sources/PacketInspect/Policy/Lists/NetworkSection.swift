/// Address ranges as intervals: where each begins, in order, and the narrowest range that holds from there on. An
/// address is found by its predecessor among the beginnings. For IPv4 an index by the upper half of the address leads to
/// the few beginnings that may be it; IPv6 addresses share too many of their upper bits for that.
struct NetworkSection {
  /// Bytes of what stands beside a beginning: length of the prefix, line.
  static let valueBytes = 5
  /// In the place of a prefix length: no range holds here.
  static let none: UInt8 = 0xff
  /// Entries of the index: for each upper half of an IPv4 address how many beginnings lie below it; and how many there
  /// are.
  private static let indexEntries = 65_537
  /// With fewer intervals than this a search among all is as fast as a look at the index.
  private static let leastIndexed = 1_024

  /// Offset of the first key.
  let start: Int
  /// Intervals.
  let count: Int
  /// 4 or 16.
  let keyBytes: Int

  /// Where the values begin.
  var valuesStart: Int { start + count * keyBytes }
  private var isIndexed: Bool { keyBytes == 4 && count >= Self.leastIndexed }
  private var indexStart: Int { valuesStart + count * Self.valueBytes }
  /// Where the section ends; what follows begins at a multiple of eight.
  var end: Int { (indexStart + (isIndexed ? Self.indexEntries * 4 : 0) + 7) / 8 * 8 }

  /// What a match is.
  struct Match {
    var prefixLength: Int
    var line: Int
  }

  /// The longest prefix that holds an IPv4 address. The section must lie within `bytes`.
  func match4(_ address: UInt32, _ bytes: RawSpan) -> Match? {
    var low = 0
    var high = count
    if isIndexed {
      let place = indexStart + 4 * Int(address >> 16)
      // The beginnings in this half, and the one before them. What a damaged index says stays within the keys.
      low = max(0, min(Int(bytes.u32(at: place)), count) - 1)
      high = max(low, min(Int(bytes.u32(at: place + 4)), count))
    }
    return found(low, high, bytes) { bytes.u32(at: $0) <= address }
  }

  /// The longest prefix that holds an IPv6 address.
  func match6(_ high: UInt64, _ low: UInt64, _ bytes: RawSpan) -> Match? {
    found(0, count, bytes) { offset in
      let key = bytes.u64(at: offset)
      return key < high || (key == high && bytes.u64(at: offset + 8) <= low)
    }
  }

  /// What stands beside the last interval among `first..<end` whose beginning is not behind what is sought, as `reaches`
  /// says of the key at an offset.
  @inline(__always)
  private func found(_ first: Int, _ end: Int, _ bytes: RawSpan, _ reaches: (Int) -> Bool) -> Match? {
    var low = first
    var length = end - first
    // Halves without a branch that could be guessed wrongly.
    while length > 1 {
      let half = length / 2
      low = reaches(start + (low + half) * keyBytes) ? low + half : low
      length -= half
    }
    guard length == 1, reaches(start + low * keyBytes) else { return nil }
    let offset = valuesStart + low * Self.valueBytes
    let prefix = bytes.byte(at: offset)
    // Only a snapshot that nobody checked can say more than 128.
    guard Int(prefix) <= keyBytes * 8 else { return nil }
    return Match(prefixLength: Int(prefix), line: Int(bytes.u32(at: offset + 1)))
  }

  /// Puts the index, when all intervals are there.
  func putIndex(into target: some SnapshotTarget) {
    guard isIndexed else { return }
    var interval = 0
    for half in 0..<Self.indexEntries {
      interval = target.withBytes { bytes in
        var interval = interval
        while interval < count, bytes.u32(at: start + 4 * interval) >> 16 < UInt32(half) { interval += 1 }
        return interval
      }
      put(UInt32(truncatingIfNeeded: interval), at: indexStart + 4 * half, into: target)
    }
  }

  /// Puts an interval.
  func put<Key: FixedWidthInteger>(
    _ index: Int, beginning key: Key, prefixLength: UInt8, line: UInt32, into target: some SnapshotTarget
  ) {
    for byte in 0..<keyBytes {
      target.put(
        byte: UInt8(truncatingIfNeeded: key >> Key(8 * (keyBytes - 1 - byte))), at: start + index * keyBytes + byte)
    }
    let offset = valuesStart + index * Self.valueBytes
    target.put(byte: prefixLength, at: offset)
    put(line, at: offset + 1, into: target)
  }

  private func put(_ value: UInt32, at offset: Int, into target: some SnapshotTarget) {
    for byte in 0..<4 { target.put(byte: UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * byte)), at: offset + byte) }
  }
}
