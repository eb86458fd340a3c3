/// How far the inspector is with a flow.
public enum FlowPhase: UInt8, Sendable {
  /// Nothing decided: the client has sent no payload yet, or not enough of it.
  case undecided
  /// Plaintext whose requests are judged one by one, or a stream still searched for a late hello.
  case watched
  /// One verdict for all that follows, within the epoch it was given in.
  case decided
}

/// What the category of a flow's destination rests on.
public enum FlowCategory: Hashable, Sendable {
  /// It has none: not charged yet, or not external.
  case none
  /// The flow's remembered name, which was corroborated when it came.
  case byName
  /// Something that is not remembered: this is what it was.
  case fixed(Category)
}

/// What is remembered of one flow. Kept small: a million of them must fit.
public struct FlowState: Sendable {
  /// The endpoints.
  public let key: FlowKey
  /// True when the client is the key's first endpoint.
  public var clientIsFirst: Bool
  /// How far the inspector is.
  public var phase: FlowPhase = .undecided
  /// The verdict's action, once decided.
  public var action: Action = .accept
  /// The verdict's reason.
  public var reason: Reason = .undecided
  /// True when the start of the flow was not seen.
  public var isMidstream = false
  /// True when the flow was charged to its address because no name had come.
  public var chargedAddress = false
  /// True when a destination was charged, under whatever key.
  public var isCharged = false
  /// True when the server's address is not the operator's own.
  public var isExternal = false
  /// What its category rests on, for a change of policy.
  public var category = FlowCategory.none
  /// True when a drop event was written.
  public var reportedDrop = false
  /// True when both sides sent FIN, or one RST.
  public var isClosing = false
  /// True when the kernel keeps it to itself, unless the policy has changed since.
  var isPassed = false
  /// Who has counted its bytes.
  public internal(set) var accounting = FlowAccounting.seen
  /// The kernel's latest listing of passed flows that had it.
  var listing: UInt8 = 0
  /// The slot of its first packet (`PacketMeta.slot`).
  public var slot: UInt8 = 0
  /// The session's index.
  public var session: Int32
  /// The policy epoch of the decision.
  public var epoch: UInt32 = 0
  /// Index of its stream state, -1 when it has none.
  public var stream: Int32 = -1
  /// Index of its QUIC connections, -1 when it has none.
  public var quic: Int32 = -1
  /// Index of its remembered name, -1 when it has none.
  public var name: Int32 = -1
  /// First packet.
  public let started: Timestamp
  /// Latest packet.
  public var lastSeen: Timestamp
  /// TCP: sequence number of the client's first byte; meaningful unless `isMidstream`.
  public var firstSequence: UInt32 = 0
  /// Packets from the client.
  public var clientPackets: UInt32 = 0
  /// Bytes (IP) from the client.
  public var clientBytes: UInt64 = 0
  /// Packets from the server, where they are seen.
  public var serverPackets: UInt32 = 0
  /// Who sends for the client, as far as its packets show it; 0 while nothing has. It stands where alignment would
  /// leave a gap.
  public var sender: UInt32 = 0
  /// Bytes (IP) from the server, where they are seen.
  public var serverBytes: UInt64 = 0
  /// A number that no other flow has had; `flow_id` in events.
  public let id: UInt64
  /// How it goes on over time.
  var traffic = FlowTraffic()

  init(key: FlowKey, clientIsFirst: Bool, session: Int32, started: Timestamp, id: UInt64) {
    self.key = key
    self.clientIsFirst = clientIsFirst
    self.session = session
    self.started = started
    lastSeen = started
    self.id = id
  }

  /// The client's address.
  public var client: IPAddress { clientIsFirst ? key.first : key.second }
  /// The server's address.
  public var server: IPAddress { clientIsFirst ? key.second : key.first }
  /// The client's port.
  public var clientPort: UInt16 { clientIsFirst ? key.firstPort : key.secondPort }
  /// The server's port.
  public var serverPort: UInt16 { clientIsFirst ? key.secondPort : key.firstPort }
}
