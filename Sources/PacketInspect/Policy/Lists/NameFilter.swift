/// A small filter in front of the slots (a Bloom filter in words): most names that are not listed end here, in a table
/// that stays in the processor's caches when the slots of millions of names do not.
struct NameFilter {
  /// Offset of its first word.
  let start: Int
  /// Words of 64 bits: one for eight names, so one byte a name, of which three bits are set. Some four of a hundred names
  /// that are not listed pass.
  let words: Int

  /// The filter beside so many slots, which are one and a half for each name.
  init(start: Int, slots: Int) {
    self.start = start
    words = slots == 0 ? 0 : slots / 12 + 1
  }

  /// Where it ends.
  var end: Int { start + 8 * words }

  /// Offset of a hash's word.
  @inline(__always)
  func offset(of hash: UInt64) -> Int { start &+ 8 &* ListSnapshot.firstSlot(hash, of: words) }

  /// A hash's bits in its word.
  @inline(__always)
  static func bits(of hash: UInt64) -> UInt64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63)
  }
}
