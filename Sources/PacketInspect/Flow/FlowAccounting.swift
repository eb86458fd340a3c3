/// Who has counted a flow's bytes.
public enum FlowAccounting: UInt8, Sendable {
  /// The inspector: every packet of the client's came here.
  case seen
  /// The kernel's connection tracking, to the flow's end.
  case kernel
  /// The kernel, but what it counted last is not known: there were more bytes than are told.
  case lowerBound

  /// The word in events; stable.
  public var word: String {
    switch self {
    case .seen: "packets"
    case .kernel: "conntrack"
    case .lowerBound: "lower-bound"
    }
  }
}

/// What connection tracking has counted of a flow.
public struct KernelFlow: Hashable, Sendable {
  /// The address and port of who began it.
  public var source: IPAddress
  /// Where it was sent to.
  public var destination: IPAddress
  /// Where its answers come from: another place than `destination` after translation.
  public var replySource: IPAddress
  /// The port of who began it.
  public var sourcePort: UInt16
  /// The port it was sent to.
  public var destinationPort: UInt16
  /// The port its answers come from.
  public var replySourcePort: UInt16
  /// The IP protocol.
  public var proto: UInt8
  /// True when it has ended: these counts are the last.
  public var hasEnded: Bool
  /// False when its counts are not all: it began before the kernel counted.
  public var isCounted: Bool
  /// Packets of who began it.
  public var sentPackets: UInt64
  /// Bytes (IP) of who began it.
  public var sentBytes: UInt64
  /// Packets that came back.
  public var receivedPackets: UInt64
  /// Bytes (IP) that came back.
  public var receivedBytes: UInt64

  /// The counts of a flow.
  public init(
    source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16, replySource: IPAddress,
    replySourcePort: UInt16, proto: UInt8, hasEnded: Bool, isCounted: Bool = true, sentPackets: UInt64,
    sentBytes: UInt64,
    receivedPackets: UInt64, receivedBytes: UInt64
  ) {
    self.source = source
    self.sourcePort = sourcePort
    self.destination = destination
    self.destinationPort = destinationPort
    self.replySource = replySource
    self.replySourcePort = replySourcePort
    self.proto = proto
    self.hasEnded = hasEnded
    self.isCounted = isCounted
    self.sentPackets = sentPackets
    self.sentBytes = sentBytes
    self.receivedPackets = receivedPackets
    self.receivedBytes = receivedBytes
  }
}
