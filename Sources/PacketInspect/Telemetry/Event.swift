/// One thing that happened, as plain values: made on the packet path, written elsewhere.
public struct Event: Sendable {
  /// When, by the packet's own time.
  public var time: Timestamp
  /// The flow, client to server; nil for what concerns a session or the daemon.
  public var flow: EventFlow?
  /// The session; nil for what concerns the daemon.
  public var session: EventSession?
  /// The destination it was charged to.
  public var destination: EventDestination?
  /// The session's budget after the event.
  public var budget: EventBudget?
  /// What was decided.
  public var verdict: EventVerdict?
  /// What it is.
  public var body: EventBody
  /// The shape of what it tells of, where that cannot be told from the body.
  public var shape: EventShape?
  /// Which labels of its names are redacted when it is written.
  public var redaction = LabelRedaction.encoded

  /// An event with nothing but its time and body.
  public init(time: Timestamp, body: EventBody) {
    self.time = time
    self.body = body
  }
}

/// A shape in an event; boxed, since most events have none.
public enum EventShape: Sendable {
  /// That of an HTTP request.
  indirect case request(RequestShape)
}

/// A flow's endpoints, client to server.
public struct EventFlow: Hashable, Sendable {
  /// The daemon's number for it.
  public var id: UInt64
  /// The client's address.
  public var client: IPAddress
  /// The client's port.
  public var clientPort: UInt16
  /// The server's address.
  public var server: IPAddress
  /// The server's port.
  public var serverPort: UInt16
  /// The protocol's number.
  public var proto: UInt8
  /// True for an event on a packet from server to client: source and destination are swapped in its line.
  public var isReply = false
}

/// A session in an event.
public struct EventSession: Hashable, Sendable {
  /// Its id.
  public var id: String
  /// Its agent type.
  public var agentType: String
  /// What its identity rests on.
  public var attribution: Attribution
  /// True when the packet is a resolver's, which asks for this session.
  public var isViaResolver = false
}

/// A destination in an event.
public struct EventDestination: Hashable, Sendable {
  /// What is counted.
  public var key: String
  /// What the key rests on.
  public var evidence: Evidence
  /// False for the operator's own networks and names, which are not counted.
  public var isExternal: Bool
  /// True when this event made it one of the session's destinations.
  public var isNew: Bool
  /// The name of its category; nil for what is not external.
  public var category: String?
  /// How the session came by the address of a name that it claims; nil where that cannot be said.
  public var resolution: Resolution?
}

/// A budget in an event.
public struct EventBudget: Hashable, Sendable {
  /// Distinct destinations so far.
  public var used: Int
  /// The ceiling; nil for none.
  public var ceiling: Int?
}

/// A verdict in an event.
public struct EventVerdict: Hashable, Sendable {
  /// What was done.
  public var action: Action
  /// Why, or why it would have been.
  public var reason: Reason
  /// What enforcement would have done, where it differs.
  public var would: Action?
  /// The deny-list entry behind it.
  public var list: DenyMatch?
}

/// What an event is about. The large ones are boxed: an event is moved several times on its way, and most are small.
public enum EventBody: Sendable {
  /// Questions of one DNS message.
  case dnsQuery(DNSMessage)
  /// Answers of one DNS message.
  case dnsAnswer(DNSMessage)
  /// A ClientHello.
  indirect case tls(ClientHello)
  /// A ClientHello in QUIC, by the version field; without a hello, the first datagram of a version that is not read.
  indirect case quic(version: UInt32, hello: ClientHello?)
  /// A request head.
  indirect case http(HTTPRequestHead)
  /// A flow's end.
  case flow(FlowSummary)
  /// A packet that was dropped or rejected: the first of its flow. Its length in bytes.
  case drop(length: Int)
  /// A flag for review.
  case alert(ReviewFlag)
  /// Something about the daemon itself: a kind and its figures, in order.
  case stats(kind: String, figures: [(name: String, value: StatValue)])
}

/// A figure in a stats event.
public enum StatValue: Sendable, Hashable {
  /// A count.
  case count(UInt64)
  /// A text.
  case text(String)
  /// Figures by category.
  case categories([CategoryFigures])
}

/// What was counted of one category.
public struct CategoryFigures: Sendable, Hashable {
  /// The category's name.
  public var name: String
  /// Contacts that were admitted.
  public var contacts: UInt64
  /// Distinct destinations.
  public var destinations: UInt64
}

/// A flow from its first packet to its last, as far as packets were seen.
public struct FlowSummary: Hashable, Sendable {
  /// First packet.
  public var start: Timestamp
  /// Last packet.
  public var end: Timestamp
  /// Packets from the client.
  public var packetsToServer: UInt64
  /// Bytes (IP) from the client.
  public var bytesToServer: UInt64
  /// Packets from the server.
  public var packetsToClient: UInt64
  /// Bytes (IP) from the server.
  public var bytesToClient: UInt64
  /// Who has counted them.
  public var accounting = FlowAccounting.seen
  /// Its shape.
  public var shape: FlowShape?
}

/// A kind of flag. The names are stable (design, section 6).
public enum FlagKind: String, Sendable, CaseIterable {
  /// A configured share of the budget is used.
  case budgetWarning = "budget-warning"
  /// The budget is used up.
  case budgetReached = "budget-reached"
  /// A source address is used by somebody whose it is not.
  case spoofedSource = "spoofed-source"
  /// An upload budget is used up.
  case uploadBudget = "upload-budget"
  /// A deny-list matched.
  case denyHit = "deny-hit"
  /// Someone tried to show the inspector other bytes than the server.
  case evasion = "evasion"
  /// A name was claimed that no trusted resolver gave this address.
  case nameUnverified = "name-unverified"
  /// A destination of a category whose action is `flag` or more.
  case categoryFlagged = "category-flagged"
  /// The session's mix of categories has left its agent type's baseline.
  case categoryShift = "category-shift"
  /// A long encoded token in a request's path.
  case encodedPath = "encoded-path"
  /// A long encoded token in a request's query.
  case encodedQuery = "encoded-query"
  /// Encoded labels in names that were looked up or claimed: the shape of DNS tunnelling.
  case encodedHost = "encoded-host"
  /// Many different labels under one registrable domain.
  case labelBurst = "label-burst"
  /// A flow or request that sends much more than it fetches.
  case uploadHeavy = "upload-heavy"
  /// Much sent by one session, however it is spread over flows.
  case uploadVolume = "upload-volume"
  /// Contacts at regular intervals.
  case beacon = "beacon"
  /// Small uploads that add up over many requests or destinations.
  case drip = "drip"
  /// A protocol that the session has not spoken before.
  case newProtocol = "new-protocol"
  /// An address where a name is usual.
  case addressLiteral = "address-literal"
  /// A protocol on a port where it is not usual.
  case oddPort = "odd-port"
  /// The session looks names up where nobody sees it.
  case hiddenDNS = "hidden-dns"
  /// The name inside a tunnel is another's than the one that the tunnel was asked for.
  case fronting = "fronting"
  /// A request names two hosts.
  case hostDisagreement = "host-disagreement"
  /// A request whose end two servers would find in different places.
  case smuggling = "smuggling"
  /// IP packets inside other packets: where they go is not seen.
  case tunnel = "tunnel"
  /// Packets left uninspected, or were seen in part.
  case unobserved = "unobserved"

  /// EVE's `alert.signature_id`: stable numbers of our own.
  public var signatureID: Int {
    switch self {
    case .budgetWarning: 1
    case .budgetReached: 2
    case .denyHit: 3
    case .evasion: 4
    case .nameUnverified: 5
    case .uploadBudget: 6
    case .spoofedSource: 7
    case .categoryFlagged: 8
    case .categoryShift: 9
    case .encodedPath: 10
    case .encodedQuery: 11
    case .encodedHost: 12
    case .labelBurst: 13
    case .uploadHeavy: 14
    case .uploadVolume: 15
    case .beacon: 16
    case .drip: 17
    case .newProtocol: 18
    case .addressLiteral: 19
    case .oddPort: 20
    case .hiddenDNS: 21
    case .fronting: 22
    case .hostDisagreement: 23
    case .smuggling: 24
    case .tunnel: 25
    case .unobserved: 26
    }
  }

  /// EVE's `alert.severity`: 1 is the gravest.
  public var severity: Int {
    switch self {
    case .denyHit, .evasion, .spoofedSource, .encodedHost, .encodedPath, .encodedQuery, .fronting, .smuggling,
      .unobserved:
      1
    case .budgetReached, .uploadBudget, .categoryShift, .categoryFlagged, .labelBurst, .uploadHeavy, .uploadVolume,
      .beacon, .drip, .hiddenDNS, .hostDisagreement, .tunnel:
      2
    case .budgetWarning, .nameUnverified, .newProtocol, .addressLiteral, .oddPort: 3
    }
  }
}

/// A flag for review.
public struct ReviewFlag: Hashable, Sendable {
  /// A number that no other flag of this daemon has.
  public var id: UInt64
  /// The kind.
  public var kind: FlagKind
  /// One sentence for a reviewer; sizes and names, never content.
  public var summary: String
  /// What the flag rests on, in figures and names.
  public var evidence: [FlagEvidence]

  /// A flag.
  public init(id: UInt64, kind: FlagKind, summary: String, evidence: [FlagEvidence]) {
    self.id = id
    self.kind = kind
    self.summary = summary
    self.evidence = evidence
  }
}

/// One figure or name that a flag rests on.
public struct FlagEvidence: Hashable, Sendable {
  /// What it is.
  public var name: String
  /// How much, or which.
  public var value: StatValue

  /// A figure.
  public init(_ name: String, _ count: Int) {
    self.name = name
    value = .count(UInt64(max(0, count)))
  }

  /// A name.
  public init(_ name: String, _ text: String) {
    self.name = name
    value = .text(text)
  }
}

/// Where events go. The packet path calls it and never waits for it.
public protocol EventSink {
  /// Takes an event.
  mutating func record(_ event: consuming Event)
  /// True when `record(_: Fact)` is to be called: parsers' tests only.
  var wantsFacts: Bool { get }
  /// Takes a fact.
  mutating func record(_ fact: Fact)
  /// True when `record(_: StateChange)` is to be called: where there is a store.
  var wantsState: Bool { get }
  /// Takes a change that a restart must not undo.
  mutating func record(_ change: StateChange)
}

extension EventSink {
  /// False: most sinks have no store.
  public var wantsState: Bool { false }
  /// Nothing.
  public mutating func record(_ change: StateChange) {}
}
