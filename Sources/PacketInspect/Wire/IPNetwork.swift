/// An address range in CIDR form (RFC 4632, RFC 4291 section 2.3). Host bits of the text are cleared.
public struct IPNetwork: Hashable, Sendable {
  /// The first address of the range.
  public let address: IPAddress
  /// Number of leading bits that count: 0...32 or 0...128.
  public let prefixLength: Int

  /// A network; nil when the prefix length does not fit the family.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...address.bitWidth).contains(prefixLength) else { return nil }
    self.address = address.masked(prefixLength)
    self.prefixLength = prefixLength
  }

  /// From `10.0.0.0/8`, `fc00::/7`, or a lone address (its full length).
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
    guard parts.count == 2 else {
      self.init(address, prefixLength: address.bitWidth)
      return
    }
    guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let length = Int(parts[1]) else { return nil }
    self.init(address, prefixLength: length)
  }

  /// True when `other` is of the same family and inside the range.
  public func contains(_ other: IPAddress) -> Bool {
    other.isIPv4 == address.isIPv4 && other.masked(prefixLength) == address
  }
}

extension IPNetwork: CustomStringConvertible {
  /// `address/length`.
  public var description: String { "\(address)/\(prefixLength)" }
}
