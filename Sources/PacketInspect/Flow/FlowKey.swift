/// A flow without direction: both endpoints in a fixed order and the protocol, so that both directions meet.
public struct FlowKey: Hashable, Sendable {
  let firstHigh: UInt64
  let firstLow: UInt64
  let secondHigh: UInt64
  let secondLow: UInt64
  let firstPort: UInt16
  let secondPort: UInt16
  let proto: UInt8
  let isIPv4: Bool

  /// The key, and whether `source` is its first endpoint.
  @inline(__always)
  public static func make(
    source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16, proto: UInt8
  ) -> (key: FlowKey, sourceIsFirst: Bool) {
    let ordered =
      (source.high, source.low, sourcePort) <= (destination.high, destination.low, destinationPort)
    let (one, onePort) = ordered ? (source, sourcePort) : (destination, destinationPort)
    let (two, twoPort) = ordered ? (destination, destinationPort) : (source, sourcePort)
    let key = FlowKey(
      firstHigh: one.high, firstLow: one.low, secondHigh: two.high, secondLow: two.low, firstPort: onePort,
      secondPort: twoPort, proto: proto, isIPv4: source.isIPv4)
    return (key, ordered)
  }

  /// The endpoint that comes first.
  public var first: IPAddress {
    isIPv4 ? IPAddress(v4: UInt32(truncatingIfNeeded: firstLow)) : IPAddress(v6High: firstHigh, low: firstLow)
  }
  /// The endpoint that comes second.
  public var second: IPAddress {
    isIPv4 ? IPAddress(v4: UInt32(truncatingIfNeeded: secondLow)) : IPAddress(v6High: secondHigh, low: secondLow)
  }

  /// A keyed hash: an agent chooses ports and addresses, so the seed is secret.
  @inline(__always)
  func hash(seed: UInt64) -> UInt64 {
    var hash = seed
    hash = (hash ^ firstHigh) &* 0x9fb2_1c65_1e98_df25
    hash = (hash ^ (hash >> 29) ^ firstLow) &* 0xd6e8_feb8_6659_fd93
    hash = (hash ^ (hash >> 32) ^ secondHigh) &* 0x9fb2_1c65_1e98_df25
    hash = (hash ^ (hash >> 29) ^ secondLow) &* 0xd6e8_feb8_6659_fd93
    let ports = UInt64(firstPort) << 24 | UInt64(secondPort) << 8 | UInt64(proto)
    hash = (hash ^ (hash >> 32) ^ ports) &* 0x9fb2_1c65_1e98_df25
    return hash ^ (hash >> 31)
  }
}
