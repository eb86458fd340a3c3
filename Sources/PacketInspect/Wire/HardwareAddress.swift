/// A 48-bit link-layer address (IEEE 802), as Ethernet, veth and bridge interfaces have it.
public struct HardwareAddress: Hashable, Sendable {
  /// The six bytes in the lower 48 bits, first byte uppermost.
  public let value: UInt64

  /// An address; bits beyond the lower 48 are dropped.
  public init(_ value: UInt64) { self.value = value & 0xffff_ffff_ffff }

  /// An address from its six bytes; nil for any other number of them (other link layers exist).
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 6 else { return nil }
    value = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// From `02:42:ac:11:00:02`, in either case; `-` as separator is taken too.
  public init?(_ text: String) {
    let parts = text.utf8.split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "-") }
    guard parts.count == 6 else { return nil }
    var value: UInt64 = 0
    for part in parts {
      guard part.count == 2 else { return nil }
      for digit in part {
        switch digit {
        case 0x30...0x39: value = value << 4 | UInt64(digit - 0x30)
        case 0x41...0x46: value = value << 4 | UInt64(digit - 0x37)
        case 0x61...0x66: value = value << 4 | UInt64(digit - 0x57)
        default: return nil
        }
      }
    }
    self.value = value
  }

  /// True for the address that no interface has: runtimes write it where they know none.
  public var isZero: Bool { value == 0 }
}

extension HardwareAddress: CustomStringConvertible {
  /// Six pairs of lower-case hexadecimal digits between colons.
  public var description: String {
    stride(from: 40, through: 0, by: -8).map { shift in
      let byte = value >> UInt64(shift) & 0xff
      return (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined(separator: ":")
  }
}
