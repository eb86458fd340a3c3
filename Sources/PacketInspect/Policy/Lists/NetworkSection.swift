/// Address ranges as intervals: where each begins, in order, and the narrowest range that holds from there on. An
/// address is found by its predecessor among the beginnings, over levels of every sixteenth one of the level below, so
/// that a lookup touches a few neighbouring keys of each level.
struct NetworkSection {
  /// Keys that are compared at each level: one cache line of IPv4 keys.
  static let fanOut = 16
  /// Bytes of what stands beside a beginning: length of the prefix, line.
  static let valueBytes = 5
  /// In the place of a prefix length: no range holds here.
  static let none: UInt8 = 0xff
  /// Levels above the beginnings of as many intervals as a file can hold.
  private static let maximumLevels = 16

  /// Offset of the first key.
  let start: Int
  /// Intervals.
  let count: Int
  /// 4 or 16.
  let keyBytes: Int
  /// Keys of each level, the intervals' own first.
  private let counts: InlineArray<16, Int>
  private let levels: Int
  /// Where the values begin.
  let valuesStart: Int

  init(start: Int, count: Int, keyBytes: Int) {
    self.start = start
    self.count = count
    self.keyBytes = keyBytes
    var counts = InlineArray<16, Int>(repeating: 0)
    var levels = 0
    var level = count
    var keys = 0
    while level > 0, levels < Self.maximumLevels {
      counts[levels] = level
      keys += level
      levels += 1
      guard level > Self.fanOut else { break }
      level = (level + Self.fanOut - 1) / Self.fanOut
    }
    self.counts = counts
    self.levels = levels
    valuesStart = start + keys * keyBytes
  }

  /// Where the section ends; what follows begins at a multiple of eight.
  var end: Int { (valuesStart + count * Self.valueBytes + 7) / 8 * 8 }

  /// What a match is.
  struct Match {
    var prefixLength: Int
    var line: Int
  }

  /// The longest prefix that holds an IPv4 address. The section must lie within `bytes`.
  func match4(_ address: UInt32, _ bytes: RawSpan) -> Match? {
    guard count > 0 else { return nil }
    return found(predecessor(bytes) { bytes.u32(at: $0) <= address }, bytes)
  }

  /// The longest prefix that holds an IPv6 address.
  func match6(_ high: UInt64, _ low: UInt64, _ bytes: RawSpan) -> Match? {
    guard count > 0 else { return nil }
    return found(
      predecessor(bytes) { offset in
        let key = bytes.u64(at: offset)
        return key < high || (key == high && bytes.u64(at: offset + 8) <= low)
      }, bytes)
  }

  /// The last interval whose beginning is not behind what is sought, as `reaches` says of the key at an offset; -1 for
  /// none.
  @inline(__always)
  private func predecessor(_ bytes: RawSpan, _ reaches: (Int) -> Bool) -> Int {
    var level = levels - 1
    var below = start
    for lower in 0..<level { below += counts[lower] * keyBytes }
    var block = 0
    while true {
      var low = block
      var high = min(block + Self.fanOut, counts[level])
      // The first key of the block is known to reach, but at the top.
      while low < high {
        let middle = (low + high) / 2
        if reaches(below + middle * keyBytes) { low = middle + 1 } else { high = middle }
      }
      guard low > block, level > 0 else { return low > block ? low - 1 : -1 }
      level -= 1
      below -= counts[level] * keyBytes
      block = (low - 1) * Self.fanOut
    }
  }

  @inline(__always)
  private func found(_ index: Int, _ bytes: RawSpan) -> Match? {
    guard index >= 0, index < count else { return nil }
    let offset = valuesStart + index * Self.valueBytes
    let length = bytes.byte(at: offset)
    // Only a snapshot that nobody checked can say more than 128.
    guard Int(length) <= keyBytes * 8 else { return nil }
    return Match(prefixLength: Int(length), line: Int(bytes.u32(at: offset + 1)))
  }

  /// Puts the keys of the upper levels, out of those of the intervals.
  func putLevels(into target: some SnapshotTarget) {
    var from = start
    for level in 1..<max(1, levels) {
      let to = from + counts[level - 1] * keyBytes
      for index in 0..<counts[level] {
        for byte in 0..<keyBytes {
          let value = target.withBytes { $0.byte(at: from + index * Self.fanOut * keyBytes + byte) }
          target.put(byte: value, at: to + index * keyBytes + byte)
        }
      }
      from = to
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
    for byte in 0..<4 {
      target.put(byte: UInt8(truncatingIfNeeded: line >> UInt32(24 - 8 * byte)), at: offset + 1 + byte)
    }
  }
}
