/// Tells an IP literal from a host name without making a string of it.
public enum HostAddressLiteral {
  /// True for a dotted quad, or for anything with two colons made of hexadecimal digits, dots, colons, brackets and
  /// a zone. Does not prove the address valid: it decides which of two things the writer meant.
  public static func matches(_ text: RawSpan) -> Bool { isIPv4(text) || isIPv6(text) }

  /// Four decimal numbers up to 255, joined by dots; one final dot allowed.
  static func isIPv4(_ text: RawSpan) -> Bool {
    guard (7...16).contains(text.byteCount) else { return false }
    var parts = 0
    var digits = 0
    var value = 0
    var index = 0
    while index < text.byteCount {
      let byte = text.byte(at: index)
      index += 1
      if byte >= 0x30, byte <= 0x39 {
        digits += 1
        value = value * 10 + Int(byte - 0x30)
        guard digits <= 3, value <= 255 else { return false }
      } else if byte == UInt8(ascii: "."), digits > 0 {
        parts += 1
        digits = 0
        value = 0
      } else {
        return false
      }
    }
    return (parts == 3 && digits > 0) || (parts == 4 && digits == 0)
  }

  /// At least two colons among the characters of an IPv6 address.
  static func isIPv6(_ text: RawSpan) -> Bool {
    guard text.byteCount >= 2 else { return false }
    var colons = 0
    var index = 0
    while index < text.byteCount {
      let byte = text.byte(at: index)
      index += 1
      switch byte {
      case UInt8(ascii: ":"): colons += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): break
      case UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."): break
      case UInt8(ascii: "["), UInt8(ascii: "]"): break
      // A zone may hold any characters.
      case UInt8(ascii: "%"): return colons >= 2
      default: return false
      }
    }
    return colons >= 2
  }
}
