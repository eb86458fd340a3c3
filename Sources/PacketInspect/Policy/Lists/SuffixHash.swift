/// A keyed hash of host names from their last label to their first, so that one pass over a name gives the hash of
/// every parent. Whoever does not know the key can neither aim at a slot nor fill one: 128-bit products of the bytes and
/// the key, folded (the construction of wyhash), eight bytes at a time.
///
/// It is no proof of anything: what it finds is compared byte for byte.
struct SuffixHash {
  private let first: UInt64
  private let second: UInt64
  /// The hash of the labels so far.
  private(set) var value: UInt64

  @inline(__always)
  init(key: (UInt64, UInt64)) {
    first = key.0
    second = key.1 | 1
    value = key.0 ^ 0x9e37_79b9_7f4a_7c15
  }

  /// Takes the label that lies at `start..<end`, the one in front of those taken so far.
  @inline(__always)
  mutating func take(_ bytes: RawSpan, _ start: Int, _ end: Int) {
    var stop = end
    while stop - start > 8 {
      value = Self.fold(value ^ bytes.u64(at: stop - 8), second)
      stop -= 8
    }
    value = Self.fold(value ^ Self.word(bytes, start, stop), second)
    value = Self.fold(value ^ UInt64(truncatingIfNeeded: end - start), first | 1)
  }

  /// The bytes at `start..<end`, eight at most, as a number.
  @inline(__always)
  private static func word(_ bytes: RawSpan, _ start: Int, _ end: Int) -> UInt64 {
    let count = end - start
    guard count > 0 else { return 0 }
    // One load that ends where the label does; what stands before the label is cut off.
    if end >= 8 { return bytes.u64(at: end - 8) & (~0 >> UInt64(64 - 8 * count)) }
    var word: UInt64 = 0
    for index in start..<end { word = word << 8 | UInt64(bytes.byte(at: index)) }
    return word
  }

  @inline(__always)
  private static func fold(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let product = one.multipliedFullWidth(by: other)
    return product.high ^ product.low
  }

  /// The hash of the name at `start..<end`, and how many labels it has.
  static func of(_ bytes: RawSpan, _ start: Int, _ end: Int, key: (UInt64, UInt64)) -> (hash: UInt64, labels: Int) {
    var hash = SuffixHash(key: key)
    var labels = 0
    var stop = end
    while true {
      let first = labelStart(bytes, start, stop)
      hash.take(bytes, first, stop)
      labels += 1
      guard first > start else { return (hash.value, labels) }
      stop = first - 1
    }
  }

  /// Where the label begins that ends at `stop`, in a name that begins at `start`.
  @inline(__always)
  static func labelStart(_ bytes: RawSpan, _ start: Int, _ stop: Int) -> Int {
    var index = stop
    // Eight bytes at a time: dots become zero, and the lowest zero byte is the last of them. A borrow can only make more
    // zeros above it.
    while index - start >= 8 {
      let others = bytes.u64(at: index - 8) ^ 0x2e2e_2e2e_2e2e_2e2e
      let dots = (others &- 0x0101_0101_0101_0101) & ~others & 0x8080_8080_8080_8080
      if dots != 0 { return index - dots.trailingZeroBitCount / 8 }
      index -= 8
    }
    while index > start, bytes.byte(at: index - 1) != 0x2e { index -= 1 }
    return index
  }
}

/// The checksum of a snapshot: finds what disks and copies do to files, keeps nobody off who wants to forge one.
public struct SnapshotChecksum: Sendable {
  /// The sum so far.
  public private(set) var value: UInt64 = 0x243f_6a88_85a3_08d3

  /// The sum of nothing.
  public init() {}

  /// Takes the next bytes. Only the last piece may have a length that is no multiple of eight.
  public mutating func add(_ bytes: RawSpan) {
    var sum = value
    var index = 0
    while index + 8 <= bytes.byteCount {
      sum = Self.step(sum, bytes.u64(at: index))
      index += 8
    }
    while index < bytes.byteCount {
      sum = Self.step(sum, UInt64(bytes.byte(at: index)) | 0x100)
      index += 1
    }
    value = sum
  }

  @inline(__always)
  private static func step(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    let product = (sum ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return product.high ^ product.low &+ word
  }
}
