/// An immutable map from address ranges to values, answering with the longest matching prefix.
public struct NetworkTable<Value: Sendable>: Sendable {
  private var values: [IPNetwork: Value] = [:]
  /// Prefix lengths in use, longest first, by family.
  private var lengths4: [Int] = []
  private var lengths6: [Int] = []
  /// Ranges by prefix length: IPv4's, then from 33 on IPv6's.
  private var counts = [UInt32](repeating: 0, count: 33 + 129)
  /// By the first byte of an IPv4 address: how many ranges begin so. Most addresses need no look at the lengths.
  private var firstBytes4 = [UInt32](repeating: 0, count: 256)

  /// An empty table.
  public init() {}

  /// Number of ranges.
  public var count: Int { values.count }
  /// True when nothing is listed.
  public var isEmpty: Bool { values.isEmpty }

  /// Adds a range. The first value of a range stays.
  public mutating func insert(_ network: IPNetwork, _ value: Value) {
    guard values[network] == nil else { return }
    values[network] = value
    let length = network.prefixLength
    let place = Self.place(of: network)
    counts[place] &+= 1
    if network.address.isIPv4 {
      if counts[place] == 1 { lengths4 = (lengths4 + [length]).sorted(by: >) }
      for byte in Self.firstBytes(of: network) { firstBytes4[byte] &+= 1 }
    } else if counts[place] == 1 {
      lengths6 = (lengths6 + [length]).sorted(by: >)
    }
  }

  /// Removes a range, if it is there.
  public mutating func remove(_ network: IPNetwork) {
    guard values.removeValue(forKey: network) != nil else { return }
    let place = Self.place(of: network)
    counts[place] &-= 1
    if network.address.isIPv4 {
      if counts[place] == 0 { lengths4.removeAll { $0 == network.prefixLength } }
      for byte in Self.firstBytes(of: network) { firstBytes4[byte] &-= 1 }
    } else if counts[place] == 0 {
      lengths6.removeAll { $0 == network.prefixLength }
    }
  }

  private static func place(of network: IPNetwork) -> Int {
    network.address.isIPv4 ? network.prefixLength : 33 + network.prefixLength
  }

  /// The first bytes that the addresses of an IPv4 range have.
  private static func firstBytes(of network: IPNetwork) -> ClosedRange<Int> {
    let first = Int(network.address.v4 >> 24)
    return first...(network.prefixLength >= 8 ? first : first | 0xff >> network.prefixLength)
  }

  /// The range with the longest prefix that contains `address`, and its value.
  public func match(_ address: IPAddress) -> (network: IPNetwork, value: Value)? {
    if address.isIPv4, firstBytes4[Int(address.v4 >> 24)] == 0 { return nil }
    for length in address.isIPv4 ? lengths4 : lengths6 {
      guard let network = IPNetwork(address, prefixLength: length) else { continue }
      if let value = values[network] { return (network, value) }
    }
    return nil
  }

  /// The value of this range itself, whatever longer or shorter ones say.
  public func value(ofExactly network: IPNetwork) -> Value? { values[network] }

  /// True when some range contains `address`.
  public func contains(_ address: IPAddress) -> Bool { match(address) != nil }
}
