@testable import PacketInspect

/// Keeps what the inspector says.
struct EventCollector: EventSink {
  var events: [Event] = []
  /// What was handed over for the store, where a test asked for it.
  var changes: [StateChange] = []
  mutating func record(_ event: Event) { events.append(event) }
  mutating func record(_ change: StateChange) { changes.append(change) }
}

/// Registrable domains without a list: the last two labels, three below a few suffixes of two.
struct TinySuffixes: RegistrableDomains, Sendable {
  static let suffixes: Set = ["github.io", "co.uk"]

  func registrableLength(of name: HostName) -> Int {
    let labels = name.text.split(separator: ".")
    let count = labels.count >= 2 && Self.suffixes.contains(labels.suffix(2).joined(separator: ".")) ? 3 : 2
    guard labels.count >= count else { return 0 }
    return labels.suffix(count).joined(separator: ".").utf8.count
  }
}

extension NameText {
  /// Names as a test writes them.
  static let plain = NameText(key: (1, 2), domains: TinySuffixes())
}

func address(_ text: String) -> IPAddress {
  guard let address = IPAddress(text) else { preconditionFailure("not an address: \(text)") }
  return address
}

func network(_ text: String) -> IPNetwork {
  guard let network = IPNetwork(text) else { preconditionFailure("not a network: \(text)") }
  return network
}

/// A list of names and networks, one a line.
func listed(_ lines: [String]) -> ListSnapshot {
  let entries = lines.enumerated().map { (text: $1, line: $0 + 1) }
  return ListSnapshot(
    names: entries.filter { IPNetwork($0.text) == nil }.map { (name: host($0.text), line: $0.line) },
    networks: entries.compactMap { entry in IPNetwork(entry.text).map { (network: $0, line: entry.line) } })
}

func host(_ text: String) -> HostName {
  guard let name = HostName(text) else { preconditionFailure("not a name: \(text)") }
  return name
}

/// The policy of a test, in a few words. The agent 10.88.0.7 is the session `task-1` of type `research`.
struct TestPolicy {
  var mode: Mode = .enforce
  var denied: [String] = []
  var excepted: [String] = []
  /// Names by category.
  var categories: [(category: String, names: [String])] = []
  /// What is done about them, for every agent type.
  var actions: [String: CategoryAction] = [:]
  var trusted = ["93.184.216.53", "2606:2800:220:1::53"]
  var publicResolvers: [String] = []
  var budget: BudgetPolicy? = BudgetPolicy(destinations: 1_000)
  var epoch: UInt32 = 1
  var exceptions = ExceptionPolicy()
  var overlays: [Overlay] = []

  /// Entries of `denied` and `excepted` are names or networks.
  var snapshot: PolicySnapshot {
    var parts = PolicySnapshot.Parts()
    parts.mode = mode
    parts.exceptions = exceptions
    parts.trustedResolvers = Set(trusted.map { address($0).canonical })
    parts.publicResolvers = Set(publicResolvers.map { address($0).canonical })
    parts.lists = [DenyList(name: "bad", action: .reject, entries: listed(denied))]
    for entry in excepted {
      if let range = IPNetwork(entry) {
        parts.exceptedNetworks.insert(range, true)
      } else {
        parts.exceptedDomains.insert(host(entry), at: ListPosition(list: 0, line: 0))
      }
    }
    parts.categories = CategoryTableTests.table(categories)
    parts.internalNetworks.insert(network("10.0.0.0/8"), true)
    parts.internalNetworks.insert(network("fd00::/8"), true)
    for name in ["internal", "in-addr.arpa"] {
      parts.internalNames.insert(host(name), at: ListPosition(list: 0, line: 0))
    }
    parts.agentTypes["research"] = AgentType(name: "research", budget: budget)
    parts.agentTypes["unattributed"] = AgentType(name: "unattributed", budget: budget)
    for type in parts.agentTypes.keys {
      for (name, action) in actions {
        guard let category = parts.categories.names.category(named: name) else { preconditionFailure(name) }
        parts.agentTypes[type]?.categoryActions[category] = action
      }
    }
    for source in ["10.88.0.7/32", "fd00:88::7/128"] {
      parts.sessionSources.insert(network(source), ConfiguredSession(id: "task-1", agentType: "research"))
    }
    parts.overlays = OverlaySet(overlays, at: Timestamp(seconds: 1_700_000_000))
    return PolicySnapshot(parts, epoch: epoch)
  }
}

/// One side of a TCP connection, as its packets.
struct TCPClient {
  var client: Endpoint
  var server: Endpoint
  /// Sequence number of the first byte.
  var first: UInt32 = 1_001
  /// What the client has received of the server.
  var acknowledged: UInt32 = 9_001

  init(_ server: Endpoint, from client: Endpoint = "10.88.0.7:40000") {
    self.client = client
    self.server = server
  }

  var syn: [UInt8] {
    PacketBuilder.tcp(from: client, to: server, flags: .syn, sequence: first &- 1, acknowledgement: 0)
  }
  var handshakeAck: [UInt8] { segment([], at: 0, flags: .ack) }

  /// Bytes at an offset of the stream.
  func segment(_ bytes: [UInt8], at offset: UInt32 = 0, flags: TCPFlags = [.psh, .ack]) -> [UInt8] {
    PacketBuilder.tcp(
      from: client, to: server, flags: flags, sequence: first &+ offset, acknowledgement: acknowledged, payload: bytes)
  }

  /// An acknowledgement of so many bytes of the server's.
  func answered(_ count: UInt32 = 100, at offset: UInt32) -> [UInt8] {
    PacketBuilder.tcp(
      from: client, to: server, flags: .ack, sequence: first &+ offset, acknowledgement: acknowledged &+ count)
  }
}

/// An inspector with a clock and its events: packets come from the forward hook unless told otherwise.
struct InspectorLab {
  static let resolver: Endpoint = "93.184.216.53:53"
  var inspector: Inspector<TinySuffixes>
  var sink = EventCollector()
  var now = Timestamp(seconds: 1_700_000_000)
  var hook: Hook = .forward
  /// The slot of what is sent.
  var slot: UInt8 = 0
  /// Whose fresh endpoints are.
  var client = "10.88.0.7"
  /// Where what is sent comes in, and from whom.
  var interface: UInt32 = 0
  var hardwareAddress: HardwareAddress?
  private var nextPort: UInt16 = 50_000

  init(_ policy: TestPolicy = TestPolicy(), limits: InspectorLimits = InspectorLimits(flows: 4_096)) {
    inspector = Inspector(policy: policy.snapshot, domains: TinySuffixes(), limits: limits)
  }

  var events: [Event] { sink.events }
  /// Distinct destinations of the agent's session.
  var destinations: Set<String> {
    guard inspector.sessions.count > 0 else { return [] }
    return Set(inspector.sessions[0].budget.destinations.keys.map(\.text))
  }
  var flags: [FlagKind] {
    events.compactMap { if case .alert(let flag) = $0.body { flag.kind } else { nil } }
  }
  /// The latest event that carries a destination.
  var destination: EventDestination? { events.last { $0.destination != nil }?.destination }

  mutating func wait(seconds: Double) {
    now = now.advanced(byNanoseconds: Int64(seconds * 1e9))
    inspector.tick(now: now, into: &sink)
  }

  @discardableResult
  mutating func send(_ packet: [UInt8], checksumsUnreliable: Bool = true) -> Verdict {
    decide(packet, checksumsUnreliable: checksumsUnreliable).verdict
  }

  /// Sends a packet and tells the whole decision on it.
  mutating func decide(_ packet: [UInt8], checksumsUnreliable: Bool = true) -> Decision {
    now = now.advanced(byNanoseconds: 1_000)
    var meta = PacketMeta(hook: hook, originalLength: packet.count, checksumsUnreliable: checksumsUnreliable)
    meta.slot = slot
    meta.inputInterface = interface
    meta.hardwareAddress = hardwareAddress
    return inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
  }

  /// Sends the handshake of a connection.
  @discardableResult
  mutating func open(_ connection: TCPClient) -> Verdict {
    let verdict = send(connection.syn)
    send(connection.handshakeAck)
    return verdict
  }

  /// A connection of its own port, opened, with these first bytes sent.
  @discardableResult
  mutating func connect(_ server: Endpoint, sending bytes: [UInt8]) -> Verdict {
    let connection = TCPClient(server, from: freshEndpoint())
    let verdict = send(connection.syn)
    guard verdict.action == .accept else { return verdict }
    send(connection.handshakeAck)
    return send(connection.segment(bytes))
  }

  mutating func freshEndpoint() -> Endpoint {
    nextPort += 1
    return Endpoint(address(client), nextPort)
  }

  /// A question; returns the client's endpoint and the verdict.
  @discardableResult
  mutating func ask(
    _ name: String, id: UInt16 = 7, from client: Endpoint? = nil, to resolver: Endpoint = Self.resolver
  ) -> (client: Endpoint, verdict: Verdict) {
    let client = client ?? freshEndpoint()
    let question = DNSBuilder(id: id, questions: [DNSBuilder.question(DNSBuilder.name(name))])
    return (client, send(PacketBuilder.udp(from: client, to: resolver, payload: question.bytes)))
  }

  /// The answer to a question.
  @discardableResult
  mutating func answer(
    _ name: String, _ records: [[UInt8]], id: UInt16 = 7, to client: Endpoint, from resolver: Endpoint = Self.resolver
  ) -> Verdict {
    let answer = DNSBuilder(
      id: id, flags: 0x8180, questions: [DNSBuilder.question(DNSBuilder.name(name))], answers: records)
    return send(PacketBuilder.udp(from: resolver, to: client, payload: answer.bytes))
  }

  /// Asks for a name and is told these addresses.
  mutating func lookUp(_ name: String, _ addresses: String..., resolver: Endpoint = Self.resolver, ttl: UInt16 = 300) {
    let asked = ask(name, to: resolver)
    answer(
      name, addresses.map { Self.record(name, $0, ttl: ttl) }, to: asked.client, from: resolver)
  }

  static func record(_ name: String, _ value: String, ttl: UInt16 = 300) -> [UInt8] {
    let address = address(value)
    return DNSBuilder.record(
      DNSBuilder.name(name), type: address.isIPv4 ? 1 : 28, ttl: ttl, PacketBuilder.bytes(address))
  }

  static func alias(_ name: String, _ target: String) -> [UInt8] {
    DNSBuilder.record(DNSBuilder.name(name), type: 5, DNSBuilder.name(target))
  }
}

func hello(_ name: String) -> [UInt8] { TLSHelloBuilder(name: name).stream }

func request(_ host: String, target: String = "/", method: String = "GET", more: String = "") -> [UInt8] {
  Array("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(more)\r\n".utf8)
}

/// A hello of the size that post-quantum key shares give it.
func largeHello(_ name: String, padding: Int = 1_300) -> [UInt8] {
  var builder = TLSHelloBuilder(name: name)
  builder.extensions?.insert((21, [UInt8](repeating: 0, count: padding)), at: 1)
  // RFC 8446 section 5.1: a record holds 2^14 bytes at most.
  return builder.stream(recordSize: 16_384)
}
