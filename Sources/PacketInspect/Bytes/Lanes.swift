/// Sixteen bytes that are looked at together. Which kind a character of noise is nobody can predict, a processor neither;
/// here nothing branches on it.
typealias Lanes = SIMD16<UInt8>
/// Which of them something is true of.
typealias LaneMask = SIMDMask<SIMD16<Int8>>

extension Lanes {
  @inline(__always)
  static func all(_ byte: UInt8) -> Lanes { Lanes(repeating: byte) }

  /// Those from `first` on, `count` of them.
  @inline(__always)
  func isWithin(_ first: UInt8, _ count: UInt8) -> LaneMask { (self &- .all(first)) .< .all(count) }

  /// ASCII letters of either case.
  @inline(__always)
  var isLetter: LaneMask { (self | .all(0x20)).isWithin(0x61, 26) }

  @inline(__always)
  var isDigit: LaneMask { isWithin(0x30, 10) }

  /// One for each `%`, and for each byte that has to be percent-encoded and is not.
  @inline(__always)
  var percents: Lanes { (self .== .all(0x25)).ones | (self .> .all(0x7f)).ones }

  /// True when one of them at least is not zero.
  @inline(__always)
  var isAny: Bool { words.0 | words.1 != 0 }

  /// A bit for each that is one, the first the lowest; the others are zero.
  @inline(__always)
  var gathered: UInt64 {
    // Each byte's bit is multiplied to its place in the highest eight.
    let gather: UInt64 = 0x0102_0408_1020_4080
    return (words.0 &* gather) >> 56 | ((words.1 &* gather) >> 56) << 8
  }

  /// Their sum, when none is greater than 15.
  @inline(__always)
  var sum: Int { Int(truncatingIfNeeded: ((words.0 &+ words.1) &* 0x0101_0101_0101_0101) >> 56) }
}

extension LaneMask {
  /// One in each lane of which it is true.
  @inline(__always)
  var ones: Lanes { Lanes(repeating: 0).replacing(with: .all(1), where: self) }
}
