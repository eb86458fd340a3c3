/// The shape of a whole flow: how much went each way, for how long and how unevenly. Never what.
public struct FlowShape: Hashable, Sendable {
  /// How a flow names its server.
  public enum Naming: UInt8, Sendable, CaseIterable {
    /// No hello and no request head: nothing that could name it.
    case none
    /// A hello or head without a name.
    case absent
    /// An address where a name stands.
    case literal
    /// A name.
    case name

    /// The word in events; stable.
    public var word: String {
      switch self {
      case .none: "none"
      case .absent: "absent"
      case .literal: "literal"
      case .name: "name"
      }
    }
  }

  /// What it speaks.
  public var proto: ProtocolClass
  /// How it names its server.
  public var naming: Naming
  /// Payload bytes sent, retransmissions included.
  public var sent: UInt64
  /// Payload bytes received: for TCP what the client acknowledged, which it could overstate; nil where nothing tells.
  public var received: UInt64?
  /// From first to last packet, in milliseconds.
  public var duration: UInt64
  /// The longest time without a packet, in milliseconds.
  public var longestGap: UInt64
  /// The mean time between packets, in milliseconds; zero of one packet.
  public var meanGap: UInt64

  init(_ flow: FlowState) {
    proto = flow.traffic.proto
    naming = flow.traffic.naming
    sent = flow.traffic.sent
    received = flow.received
    let nanoseconds = UInt64(max(0, flow.lastSeen.since(flow.started)))
    duration = nanoseconds / 1_000_000
    longestGap = min(duration, UInt64(flow.traffic.longestGap) << 20 / 1_000_000)
    let packets = UInt64(flow.clientPackets) + UInt64(flow.serverPackets)
    meanGap = packets > 1 ? nanoseconds / (packets - 1) / 1_000_000 : 0
  }
}

extension FlowState {
  /// Bytes that came from the server, as far as anything tells. Where its packets are seen they are counted, by us or
  /// by the kernel; else the client's acknowledgements are believed.
  var received: UInt64? {
    let isTCP = key.proto == IPProtocol.tcp.rawValue
    if isTCP, accounting != .seen { return traffic.acknowledged }
    if serverPackets > 0 { return isTCP ? max(serverBytes, 1) : serverBytes }
    return isTCP ? traffic.acknowledged : nil
  }
}
