/// The endpoints of a packet, sender first.
public struct PacketEndpoints: Sendable, Hashable {
  /// The sender's address.
  public var source: IPAddress
  /// The sender's port, 0 where the protocol has none.
  public var sourcePort: UInt16
  /// The receiver's address.
  public var destination: IPAddress
  /// The receiver's port, 0 where the protocol has none.
  public var destinationPort: UInt16
  /// The protocol's number.
  public var proto: UInt8
}

/// What the host knows of a packet's sender.
public enum SessionFinding: Sendable, Hashable {
  /// Nothing: the source address decides.
  case nothing
  /// It is this session's.
  case claim(SessionClaim)
  /// The source address is somebody else's. The session is the true sender's, where its interface tells; what betrays
  /// it is `aspect`.
  case spoofed(SessionClaim?, aspect: String)
  /// Somebody's who is about to be announced: the packet must wait, or it would be charged to the wrong one.
  case pending
}

/// The host's evidence on senders: control groups of sockets, leases of containers' addresses. Asked once a flow, by
/// the flow's first packet; it must not block.
public protocol SessionEvidence {
  /// What is known of the sender. With `isLastAsk` a packet has waited as long as it may: `pending` is no answer.
  mutating func finding(
    for endpoints: PacketEndpoints, meta: PacketMeta, isLastAsk: Bool, at now: Timestamp
  ) -> SessionFinding
}
