/// An IPv4 or IPv6 address: 16 bytes, the IPv4 form kept apart from the v4-mapped one it resembles.
public struct IPAddress: Hashable, Sendable {
  /// The upper 64 bits; zero for IPv4.
  public let high: UInt64
  /// The lower 64 bits; for IPv4 the address in the lowest 32.
  public let low: UInt64
  /// True for IPv4.
  public let isIPv4: Bool

  /// An IPv4 address, host byte order.
  public init(v4 value: UInt32) {
    high = 0
    low = UInt64(value)
    isIPv4 = true
  }

  /// An IPv6 address from its two halves, host byte order.
  public init(v6High: UInt64, low: UInt64) {
    high = v6High
    self.low = low
    isIPv4 = false
  }

  /// The IPv4 value in host byte order; meaningful only when `isIPv4`.
  public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// Number of bits of the family: 32 or 128.
  public var bitWidth: Int { isIPv4 ? 32 : 128 }

  /// The address that matters for identity: a v4-mapped (RFC 4291 section 2.5.5.2) or well-known NAT64
  /// (RFC 6052 section 2.1, 64:ff9b::/96) address as the IPv4 address inside it, others unchanged.
  public var canonical: IPAddress {
    guard !isIPv4 else { return self }
    if high == 0, low >> 32 == 0xffff { return IPAddress(v4: UInt32(truncatingIfNeeded: low)) }
    if high == 0x0064_ff9b_0000_0000, low >> 32 == 0 { return IPAddress(v4: UInt32(truncatingIfNeeded: low)) }
    return self
  }

  /// True for addresses that a sender gives itself on its own link: link-local ones (RFC 4291 section 2.5.6, RFC 3927),
  /// and the unspecified address of who has none yet.
  public var isLinkLocalOrUnspecified: Bool {
    if isIPv4 { return v4 >> 16 == 0xa9fe || v4 == 0 }
    return high >> 54 == 0xfe80 >> 6 || (high == 0 && low == 0)
  }

  /// The address with all bits after the first `length` cleared.
  public func masked(_ length: Int) -> IPAddress {
    if isIPv4 {
      let bits = max(0, min(32, length))
      return IPAddress(v4: bits == 0 ? 0 : v4 & (UInt32.max << UInt32(32 - bits)))
    }
    let bits = max(0, min(128, length))
    let highMask: UInt64 = bits == 0 ? 0 : bits >= 64 ? .max : .max << UInt64(64 - bits)
    let lowMask: UInt64 = bits <= 64 ? 0 : .max << UInt64(128 - bits)
    return IPAddress(v6High: high & highMask, low: low & lowMask)
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted quad, or RFC 5952 text.
  public var description: String {
    var text: [UInt8] = []
    text.append(address: self)
    return String(decoding: text, as: UTF8.self)
  }
}

extension [UInt8] {
  /// Adds an address as its description has it.
  mutating func append(address: IPAddress) {
    if address.isIPv4 { return append(dottedQuad: address.v4) }
    if address.high == 0, address.low >> 32 == 0xffff {
      append(contentsOf: "::ffff:".utf8)
      return append(dottedQuad: UInt32(truncatingIfNeeded: address.low))
    }
    func group(_ index: Int) -> UInt16 {
      UInt16(truncatingIfNeeded: (index < 4 ? address.high : address.low) >> UInt64(48 - 16 * (index % 4)))
    }
    // RFC 5952 section 4.2: the longest run of two or more zero groups, the first of equals, becomes "::".
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, group(end) == 0 { end += 1 }
      if end - start >= 2, end - start > best.count { best = start..<end }
      start = Swift.max(end, start + 1)
    }
    var index = 0
    while index < 8 {
      if index == best.lowerBound, !best.isEmpty {
        append(contentsOf: "::".utf8)
        index = best.upperBound
      } else {
        if index > 0, index != best.upperBound || best.isEmpty { append(UInt8(ascii: ":")) }
        append(hexadecimal: group(index))
        index += 1
      }
    }
  }

  private mutating func append(dottedQuad value: UInt32) {
    for shift: UInt32 in [24, 16, 8, 0] {
      append(decimal: UInt64(value >> shift & 0xff))
      if shift > 0 { append(UInt8(ascii: ".")) }
    }
  }
}

extension IPAddress {
  /// An address from text: dotted quad (four decimal parts, no leading zeros beyond "0") or RFC 4291 section 2.2.
  public init?(_ text: String) {
    if text.contains(":") {
      guard let (high, low) = Self.parseIPv6(text) else { return nil }
      self.init(v6High: high, low: low)
    } else {
      guard let value = Self.parseIPv4(text) else { return nil }
      self.init(v4: value)
    }
  }

  private static func parseIPv4(_ text: some StringProtocol) -> UInt32? {
    var quad = DottedQuad()
    for byte in text.utf8 {
      guard quad.take(byte) else { return nil }
    }
    return quad.value
  }

  private static func parseIPv6(_ text: String) -> (UInt64, UInt64)? {
    func groups(_ part: Substring) -> [UInt16]? {
      if part.isEmpty { return [] }
      var result: [UInt16] = []
      let pieces = part.split(separator: ":", omittingEmptySubsequences: false)
      for (index, piece) in pieces.enumerated() {
        if index == pieces.count - 1, piece.contains(".") {
          guard let value = parseIPv4(piece) else { return nil }
          result.append(UInt16(truncatingIfNeeded: value >> 16))
          result.append(UInt16(truncatingIfNeeded: value))
          continue
        }
        guard (1...4).contains(piece.utf8.count), piece.utf8.first != 0x2b, let value = UInt16(piece, radix: 16)
        else { return nil }
        result.append(value)
      }
      return result
    }
    var all: [UInt16]
    if let gap = text.firstRange(ofDoubleColon: ()) {
      guard let left = groups(text[..<gap.lowerBound]), let right = groups(text[gap.upperBound...]),
        left.count + right.count <= 7
      else { return nil }
      all = left + Array(repeating: 0, count: 8 - left.count - right.count) + right
    } else {
      guard let whole = groups(text[...]), whole.count == 8 else { return nil }
      all = whole
    }
    let high = all[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = all[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, low)
  }
}

/// Reads an IPv4 address a byte at a time: four decimal parts, no leading zeros beyond "0".
struct DottedQuad {
  private var whole: UInt32 = 0
  private var part: UInt32 = 0
  private var digits = 0
  private var dots = 0

  /// Takes the next byte; false when this is no address.
  mutating func take(_ byte: UInt8) -> Bool {
    if byte >= 0x30, byte <= 0x39 {
      guard digits == 0 || part > 0 else { return false }
      part = part * 10 + UInt32(byte - 0x30)
      digits += 1
      return part <= 255
    }
    guard byte == UInt8(ascii: "."), digits > 0, dots < 3 else { return false }
    dots += 1
    whole = whole << 8 | part
    part = 0
    digits = 0
    return true
  }

  /// The address, once all bytes were taken; nil when some are missing.
  var value: UInt32? { dots == 3 && digits > 0 ? whole << 8 | part : nil }
}

extension String {
  /// The first "::", for IPv6 text; the core has no Foundation to search with.
  fileprivate func firstRange(ofDoubleColon _: Void) -> Range<Index>? {
    var index = startIndex
    while index < endIndex {
      let next = self.index(after: index)
      if self[index] == ":", next < endIndex, self[next] == ":" { return index..<self.index(after: next) }
      index = next
    }
    return nil
  }
}
