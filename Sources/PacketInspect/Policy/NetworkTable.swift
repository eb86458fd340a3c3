/// An immutable map from address ranges to values, answering with the longest matching prefix.
public struct NetworkTable<Value: Sendable>: Sendable {
  private var values: [IPNetwork: Value] = [:]
  /// Prefix lengths in use, longest first, by family.
  private var lengths4: [Int] = []
  private var lengths6: [Int] = []
  /// By the first byte of an IPv4 address: whether any range begins so. Most addresses need no look at the lengths.
  private var firstBytes4 = [Bool](repeating: false, count: 256)

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
    if network.address.isIPv4 {
      if !lengths4.contains(length) { lengths4 = (lengths4 + [length]).sorted(by: >) }
      let first = Int(network.address.v4 >> 24)
      let last = length >= 8 ? first : first | 0xff >> length
      for byte in first...last { firstBytes4[byte] = true }
    } else if !lengths6.contains(length) {
      lengths6 = (lengths6 + [length]).sorted(by: >)
    }
  }

  /// The range with the longest prefix that contains `address`, and its value.
  public func match(_ address: IPAddress) -> (network: IPNetwork, value: Value)? {
    if address.isIPv4, !firstBytes4[Int(address.v4 >> 24)] { return nil }
    for length in address.isIPv4 ? lengths4 : lengths6 {
      guard let network = IPNetwork(address, prefixLength: length) else { continue }
      if let value = values[network] { return (network, value) }
    }
    return nil
  }

  /// True when some range contains `address`.
  public func contains(_ address: IPAddress) -> Bool { match(address) != nil }
}
