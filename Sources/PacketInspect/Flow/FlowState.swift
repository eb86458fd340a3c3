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

/// What is remembered of one flow. Kept small: a million of them must fit. The order of what is stored leaves no gaps.
public struct FlowState: Sendable {
  /// What is true of a flow or not.
  struct Marks: OptionSet, Sendable {
    let rawValue: UInt16
    static let clientIsFirst = Marks(rawValue: 1)
    static let midstream = Marks(rawValue: 2)
    static let chargedAddress = Marks(rawValue: 4)
    static let charged = Marks(rawValue: 8)
    static let external = Marks(rawValue: 16)
    static let reportedDrop = Marks(rawValue: 32)
    static let closing = Marks(rawValue: 64)
    static let passed = Marks(rawValue: 128)
    static let answered = Marks(rawValue: 256)
    static let shownItself = Marks(rawValue: 512)

    subscript(_ mark: Marks) -> Bool {
      @inline(__always) get { contains(mark) }
      @inline(__always) set { if newValue { insert(mark) } else { remove(mark) } }
    }
  }

  /// The endpoints.
  public let key: FlowKey
  private var marks: Marks
  /// How far the inspector is.
  public var phase: FlowPhase = .undecided
  /// The verdict's action, once decided.
  public var action: Action = .accept
  /// The verdict's reason.
  public var reason: Reason = .undecided
  /// What its category rests on, for a change of policy.
  public var category = FlowCategory.none
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
  /// TCP: sequence number of the client's first byte; meaningful unless `isMidstream`.
  public var firstSequence: UInt32 = 0
  /// First packet.
  public let started: Timestamp
  /// Latest packet.
  public var lastSeen: Timestamp
  /// Packets from the client.
  public var clientPackets: UInt32 = 0
  /// Packets from the server, where they are seen.
  public var serverPackets: UInt32 = 0
  /// Bytes (IP) from the client.
  public var clientBytes: UInt64 = 0
  /// Bytes (IP) from the server, where they are seen.
  public var serverBytes: UInt64 = 0
  /// A number that no other flow has had; `flow_id` in events.
  public let id: UInt64
  /// How it goes on over time.
  var traffic = FlowTraffic()
  /// Who sends for the client, as far as its packets show it; 0 while nothing has.
  public var sender: UInt32 = 0

  init(key: FlowKey, clientIsFirst: Bool, session: Int32, started: Timestamp, id: UInt64) {
    self.key = key
    marks = clientIsFirst ? .clientIsFirst : []
    self.session = session
    self.started = started
    lastSeen = started
    self.id = id
  }

  /// True when the client is the key's first endpoint.
  public var clientIsFirst: Bool { marks[.clientIsFirst] }
  /// True when the start of the flow was not seen.
  public var isMidstream: Bool {
    get { marks[.midstream] }
    set { marks[.midstream] = newValue }
  }
  /// True when the flow was charged to its address because no name had come.
  public var chargedAddress: Bool {
    get { marks[.chargedAddress] }
    set { marks[.chargedAddress] = newValue }
  }
  /// True when a destination was charged, under whatever key.
  public var isCharged: Bool {
    get { marks[.charged] }
    set { marks[.charged] = newValue }
  }
  /// True when the server's address is not the operator's own.
  public var isExternal: Bool {
    get { marks[.external] }
    set { marks[.external] = newValue }
  }
  /// True when a drop event was written.
  public var reportedDrop: Bool {
    get { marks[.reportedDrop] }
    set { marks[.reportedDrop] = newValue }
  }
  /// True when both sides sent FIN, or one RST.
  public var isClosing: Bool {
    get { marks[.closing] }
    set { marks[.closing] = newValue }
  }
  /// True when the kernel keeps it to itself, unless the policy has changed since.
  var isPassed: Bool {
    get { marks[.passed] }
    set { marks[.passed] = newValue }
  }
  /// True when the other side was heard of, or the client goes on: it is no mere attempt.
  var isAnswered: Bool {
    get { marks[.answered] }
    set { marks[.answered] = newValue }
  }
  /// True when it counts for an owner of its own (`FlowShares`), not with what shows no true source.
  var hasShownItself: Bool {
    get { marks[.shownItself] }
    set { marks[.shownItself] = newValue }
  }
  /// True when nothing that is still to come changes its place in the table.
  @inline(__always)
  var isPlaced: Bool { marks.isSuperset(of: [.answered, .shownItself]) }

  /// The client's address.
  public var client: IPAddress { clientIsFirst ? key.first : key.second }
  /// The server's address.
  public var server: IPAddress { clientIsFirst ? key.second : key.first }
  /// The client's port.
  public var clientPort: UInt16 { clientIsFirst ? key.firstPort : key.secondPort }
  /// The server's port.
  public var serverPort: UInt16 { clientIsFirst ? key.secondPort : key.firstPort }
}
