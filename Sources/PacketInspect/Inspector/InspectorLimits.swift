/// Caps of everything that agents can make the inspector remember (`limits` in the configuration).
public struct InspectorLimits: Hashable, Sendable {
  /// Flows tracked at once.
  public var flows: Int
  /// Destinations remembered for one session.
  public var namesPerSession: Int
  /// Bytes of unfinished hellos and heads kept for all flows together.
  public var streamBytes: Int

  /// The defaults of the design's section 5; its goal for memory under load leaves 64 MiB to streams.
  public init(flows: Int = 262_144, namesPerSession: Int = 4_096, streamBytes: Int = 64 << 20) {
    self.flows = flows
    self.namesPerSession = namesPerSession
    self.streamBytes = streamBytes
  }
}

/// Counts of what the inspector did, since it was made.
public struct InspectorCounters: Hashable, Sendable {
  /// Packets inspected.
  public var packets: UInt64 = 0
  /// Packets answered from a flow's decision.
  public var fastPath: UInt64 = 0
  /// Times a flow was passed to the kernel.
  public var passed: UInt64 = 0
  /// Packets accepted.
  public var accepted: UInt64 = 0
  /// Packets dropped.
  public var dropped: UInt64 = 0
  /// Packets rejected.
  public var rejected: UInt64 = 0
  /// Packets that are no readable IP.
  public var malformed: UInt64 = 0
  /// Packets of new flows that found no room.
  public var flowTableFull: UInt64 = 0
  /// Flows that were forgotten to make room for others.
  public var evicted: UInt64 = 0
  /// Flows that were forgotten before all of them was understood, or while they were refused: what is left of them is
  /// refused.
  public var lost: UInt64 = 0
  /// Flows tracked since the start.
  public var flows: UInt64 = 0
  /// TCP packets with a wrong checksum, which no receiver accepts.
  public var badChecksum: UInt64 = 0
  /// Destinations that became one of a session's.
  public var newDestinations: UInt64 = 0
  /// Packets that had to wait until somebody could say whose they are.
  public var pending: UInt64 = 0
  /// Packets on a flow from somebody who has no right to its addresses: dropped, and not the flow's.
  public var foreign: UInt64 = 0
  /// Segments too far ahead to be kept; TCP sends them again.
  public var notKept: UInt64 = 0
  /// ClientHellos read from QUIC.
  public var quicHellos: UInt64 = 0
  /// QUIC Initial packets that no keys open.
  public var quicUnopened: UInt64 = 0
  /// UDP flows that begin like QUIC of a version that is not read.
  public var quicUnknownVersion: UInt64 = 0
  /// QUIC Initial packets of one connection too many on a socket, or on which keys would be tried once too often; the
  /// client sends them again.
  public var quicNoRoom: UInt64 = 0

  /// Nothing counted yet.
  public init() {}
}
