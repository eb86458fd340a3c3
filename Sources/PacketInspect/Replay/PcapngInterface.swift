/// What a pcapng Interface Description Block says that packets need.
struct PcapngInterface {
  let linkType: LinkType
  /// The snapshot length in bytes; 0 for none.
  let snapLength: Int
  /// The if_tsresol byte: a power of ten, or of two when the highest bit is set, negated. Microseconds by default.
  private var resolution: UInt8 = 6
  /// The if_tsoffset option: seconds to add to every time.
  private var offsetSeconds: Int64 = 0

  private enum Option {
    static let end: UInt16 = 0
    static let timestampResolution: UInt16 = 9
    static let timestampOffset: UInt16 = 14
  }

  /// From a block body of at least eight bytes. Options that break the list end it.
  init(_ body: RawSpan, swapped: Bool) {
    linkType = LinkType(rawValue: body.u16(at: 0, swapped: swapped))
    snapLength = Int(body.u32(at: 4, swapped: swapped))
    var offset = 8
    while body.byteCount - offset >= 4 {
      let code = body.u16(at: offset, swapped: swapped)
      let length = Int(body.u16(at: offset + 2, swapped: swapped))
      offset += 4
      guard code != Option.end, length <= body.byteCount - offset else { return }
      if code == Option.timestampResolution, length >= 1 {
        resolution = body.byte(at: offset)
      } else if code == Option.timestampOffset, length >= 8 {
        let value = body.u64(at: offset)
        offsetSeconds = Int64(bitPattern: swapped ? value.byteSwapped : value)
      }
      offset += (length + 3) & ~3
    }
  }

  /// The time of a packet from its 64-bit tick count. Absurd resolutions and offsets wrap or give zero.
  func time(ticks: UInt64) -> Timestamp {
    Timestamp(nanoseconds: nanoseconds(ticks) &+ offsetSeconds &* 1_000_000_000)
  }

  private func nanoseconds(_ ticks: UInt64) -> Int64 {
    let exponent = Int(resolution & 0x7f)
    if resolution & 0x80 != 0 {
      let (high, low) = ticks.multipliedFullWidth(by: 1_000_000_000)
      // Shifts beyond the width give zero in Swift, as wanted here.
      let value = exponent < 64 ? (high << (64 - exponent)) | (low >> exponent) : high >> (exponent - 64)
      return Int64(truncatingIfNeeded: value)
    }
    if exponent <= 9 { return Int64(truncatingIfNeeded: ticks &* Self.powerOfTen(9 - exponent)) }
    return exponent - 9 > 19 ? 0 : Int64(truncatingIfNeeded: ticks / Self.powerOfTen(exponent - 9))
  }

  /// Ten to the power of at most nineteen, the largest that fits.
  private static func powerOfTen(_ exponent: Int) -> UInt64 {
    var value: UInt64 = 1
    for _ in 0..<exponent { value *= 10 }
    return value
  }
}
