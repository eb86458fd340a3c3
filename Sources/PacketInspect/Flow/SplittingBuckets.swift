/// The heads of hash chains that grow one at a time (linear hashing): no packet pays for a table that doubles.
struct SplittingBuckets: Sendable {
  /// Buckets that are asked for at once, so that they are not copied while packets wait: address space only.
  static let reserved = 1 << 20

  private var heads: [Int32]
  /// How many there were when the round of splits began, a power of two, less one.
  private var mask = 1_023

  /// Few buckets, and room for as many as `capacity` entries will need.
  init(capacity: Int) {
    heads = Array(repeating: -1, count: mask + 1)
    heads.reserveCapacity(min(max(capacity, heads.count), Self.reserved))
  }

  var count: Int { heads.count }

  /// The first entry of a chain, -1 when it is empty.
  subscript(place: Int) -> Int32 {
    @inline(__always) get { heads[place] }
    @inline(__always) set { heads[place] = newValue }
  }

  /// Where an entry of this hash is.
  @inline(__always)
  func place(of hash: UInt64) -> Int {
    let hash = Int(truncatingIfNeeded: hash)
    let place = hash & mask
    // Those before the split have been divided in two.
    return place < heads.count - mask - 1 ? hash & (mask << 1 | 1) : place
  }

  /// Adds a bucket, and empties the one that it divides. Its entries, the first of which is returned, are to be put where
  /// they now belong.
  mutating func split() -> Int32 {
    let divided = heads.count - mask - 1
    let first = heads[divided]
    heads[divided] = -1
    heads.append(-1)
    if heads.count == 2 * (mask + 1) { mask = mask << 1 | 1 }
    return first
  }
}
