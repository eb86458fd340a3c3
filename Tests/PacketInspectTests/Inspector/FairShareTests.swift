import TestSupport
import Testing

@testable import PacketInspect
@testable import nfq_egressd

/// Several agents behind one inspector whose flow table is small.
private struct Crowd {
  static let capacity = 400
  static let neighbour = "10.88.0.8"
  static let stranger = "10.88.0.9"
  var lab: InspectorLab
  var random = SplitMix64(seed: 11)

  init(_ policy: TestPolicy = TestPolicy(), capacity: Int = Self.capacity) {
    lab = InspectorLab(policy, limits: InspectorLimits(flows: capacity))
    let registration = SessionRegistration(
      id: "neighbour", agentType: "research", sources: [network(Self.neighbour + "/32"), network("fd00:88::8/128")])
    #expect(throws: Never.self) { try lab.inspector.startSession(registration, at: lab.now) }
  }

  /// TLS connections of a client's whose hello was judged and answered.
  mutating func connections(of client: String, count: Int) -> [TCPClient] {
    lab.client = client
    return (0..<count).map { number in
      let connection = TCPClient(Endpoint(address("93.184.216.\(10 + number % 50)"), 443), from: lab.freshEndpoint())
      lab.open(connection)
      lab.send(connection.segment(hello("site\(number).example")))
      lab.send(connection.answered(at: UInt32(hello("site\(number).example").count)))
      return connection
    }
  }

  /// Connections whose flow was forgotten.
  func forgotten(_ connections: [TCPClient]) -> Int {
    connections.count {
      lab.inspector.flows.find(
        FlowKey.make(
          source: $0.client.address, sourcePort: $0.client.port, destination: $0.server.address,
          destinationPort: $0.server.port, proto: IPProtocol.tcp.rawValue
        ).key) < 0
    }
  }

  /// A packet of a flood; time goes on meanwhile.
  mutating func flood(_ packet: [UInt8]) {
    lab.now = lab.now.advanced(byNanoseconds: 10_000)
    lab.send(packet)
    if lab.events.count > 10_000 { lab.sink.events.removeAll() }
    #expect(lab.inspector.flowCount <= Self.capacity)
  }

  mutating func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

  mutating func syn(from source: IPAddress) -> [UInt8] {
    PacketBuilder.tcp(
      from: Endpoint(source, UInt16(1_024 + number(60_000))),
      to: Endpoint(IPAddress(v4: 0x5db8_0000 + UInt32(number(60_000))), 443), flags: .syn,
      sequence: UInt32(number(1 << 30)))
  }

  mutating func datagram(from source: IPAddress, to destination: IPAddress) -> [UInt8] {
    PacketBuilder.udp(
      from: Endpoint(source, UInt16(1_024 + number(60_000))), to: Endpoint(destination, UInt16(1_024 + number(60_000))),
      payload: [1, 2, 3])
  }

  /// Any address of one /64.
  mutating func anyone(inside high: UInt64) -> IPAddress { IPAddress(v6High: high, low: random.next() | 1 << 63) }
}

@Suite("A full flow table")
struct FairShareTests {
  /// 2606:2800:220:1::/64, and a /64 of an agent's own.
  private static let outside: UInt64 = 0x2606_2800_0220_0001
  private static let inside: UInt64 = 0xfd00_0088_0000_0077

  enum Flood: CaseIterable { case syn, datagrams, datagramsIPv6, answered, sourcesIPv6, sources }

  @Test(
    "loses no flow of a session, attributed or not, to another agent's flood", arguments: Flood.allCases)
  fileprivate func floods(flood: Flood) {
    var crowd = Crowd()
    let kept =
      crowd.connections(of: Crowd.neighbour, count: 60) + crowd.connections(of: Crowd.stranger, count: 60)
    let own = address("10.88.0.7")
    for number in 0..<1_500 {
      switch flood {
      case .syn: crowd.flood(crowd.syn(from: own))
      case .datagrams:
        crowd.flood(crowd.datagram(from: own, to: IPAddress(v4: 0x5db8_0000 + UInt32(crowd.number(60_000)))))
      case .datagramsIPv6:
        let there = crowd.anyone(inside: Self.outside)
        crowd.flood(crowd.datagram(from: address("fd00:88::7"), to: there))
      case .answered:
        // Its own servers answer: established connections, more than the table holds.
        crowd.lab.client = "10.88.0.7"
        let connection = TCPClient("93.184.216.99:8443", from: Endpoint(own, UInt16(1_024 + number)))
        crowd.flood(connection.syn)
        crowd.flood(connection.handshakeAck)
        crowd.flood(connection.segment([1, 2, 3]))
      case .sourcesIPv6:
        // All of the agent's own /64, and each source is there and goes on.
        let here = Endpoint(crowd.anyone(inside: Self.inside), 5_000)
        let connection = TCPClient(Endpoint(address("2606:2800:220:1::99"), 443), from: here)
        crowd.flood(connection.syn)
        crowd.flood(connection.handshakeAck)
      case .sources:
        // Invented: nothing comes back to it.
        crowd.flood(crowd.syn(from: IPAddress(v4: 0x0a60_0000 + UInt32(crowd.number(60_000)))))
      }
    }
    #expect(crowd.lab.inspector.counters.evicted > 900)
    #expect(crowd.forgotten(kept) == 0)
    // They are the flows they were: known, and decided.
    let before = (crowd.lab.inspector.counters.flows, crowd.lab.inspector.counters.fastPath)
    for connection in kept { #expect(crowd.lab.send(connection.segment([23, 3, 3], at: 900)).action == .accept) }
    #expect(crowd.lab.inspector.counters.flows == before.0)
    #expect(crowd.lab.inspector.counters.fastPath == before.1 + UInt64(kept.count))
    #expect(crowd.lab.inspector.counters.lost == 0 || flood == .answered)
  }

  @Test("gives a session that comes late its share, out of the largest one's")
  func late() {
    var crowd = Crowd()
    for _ in 0..<1_000 { crowd.flood(crowd.syn(from: address("10.88.0.7"))) }
    let late = crowd.connections(of: Crowd.neighbour, count: 180)
    for _ in 0..<1_000 { crowd.flood(crowd.syn(from: address("10.88.0.7"))) }
    #expect(crowd.forgotten(late) == 0)
    #expect(crowd.lab.inspector.counters.flowTableFull == 0)
  }

  @Test("forgets attempts before connections, and the longest silent ones first")
  func order() {
    var crowd = Crowd()
    let connections = crowd.connections(of: Crowd.neighbour, count: 100)
    for _ in 0..<1_000 { crowd.flood(crowd.syn(from: address(Crowd.neighbour))) }
    #expect(crowd.forgotten(connections) == 0)
    crowd.lab.wait(seconds: 2)
    for connection in connections[..<50] { crowd.lab.send(connection.segment([23, 3, 3], at: 900)) }
    _ = crowd.connections(of: Crowd.neighbour, count: Crowd.capacity - 50)
    #expect(crowd.forgotten(Array(connections[..<50])) == 0)
    #expect(crowd.forgotten(Array(connections[50...])) == 50)
  }

  @Test("never takes a flow from who has fewer, over 20,000 random steps")
  func model() {
    var random = SplitMix64(seed: 4)
    var table = FlowTable(capacity: 200, seed: 5)
    var owned: [FlowOwner: Int] = [:]
    var owners: [Int32: FlowOwner] = [:]
    for step in 0..<20_000 {
      // The first of them takes most.
      let number = min(Int.random(in: 0..<12, using: &random), Int.random(in: 0..<12, using: &random))
      let owner = FlowOwner.session(Int32(number))
      if table.isFull {
        let (flow, isOwn) = table.victim(for: owner)
        guard let loser = owners.removeValue(forKey: flow), let has = owned[loser] else {
          Issue.record("no flow of anybody")
          return
        }
        #expect(isOwn == (loser == owner))
        #expect(has == owned.values.max() || isOwn && has + 1 >= owned.values.max() ?? 0)
        owned[loser] = has - 1
        table.remove(flow)
      }
      let source = IPAddress(v4: UInt32(step))
      let key = FlowKey.make(
        source: source, sourcePort: 1, destination: address("93.184.216.10"), destinationPort: 2, proto: 6)
      let made = table.insert(
        key.key, clientIsFirst: true, session: Int32(number), owner: owner, at: Timestamp(seconds: Int64(step)))
      owners[made] = owner
      owned[owner, default: 0] += 1
      if step % 3 == 0 { table.noteAnswered(made, owner: owner, isProof: true) }
    }
    #expect(owned.values.reduce(0, +) == 200 && table.count == 200)
  }

  // MARK: What is forgotten earns nothing by it

  /// Has the agent's own flood make the table forget everything of it that came before.
  private func forget(_ crowd: inout Crowd) {
    for number in 0..<2 * Crowd.capacity {
      let connection = TCPClient(
        "93.184.216.99:8443", from: Endpoint(address("10.88.0.7"), UInt16(2_000 + number)))
      crowd.flood(connection.syn)
      crowd.flood(connection.handshakeAck)
    }
  }

  @Test("lets no half of a hello through that its other half would have had denied")
  func halfHello() {
    let bytes = hello("denied.net")
    for isFlooded in [true, false] {
      var crowd = Crowd(TestPolicy(denied: ["denied.net"]))
      let connection = TCPClient("93.184.216.10:443")
      crowd.lab.open(connection)
      #expect(crowd.lab.send(connection.segment(Array(bytes[..<60]))).action == .accept)
      if isFlooded { forget(&crowd) }
      let verdict = crowd.lab.send(connection.segment(Array(bytes[60...]), at: 60))
      #expect(verdict == Verdict(.reject, isFlooded ? .midstream : .deniedName))
      #expect(crowd.lab.inspector.counters.lost == (isFlooded ? 1 : 0))
    }
  }

  @Test("lets no request through that begins amid a packet after a body that is forgotten")
  func body() {
    var crowd = Crowd(TestPolicy(denied: ["denied.net"]))
    let connection = TCPClient("93.184.216.10:80")
    crowd.lab.open(connection)
    let head = request("good.example", method: "POST", more: "Content-Length: 10\r\n")
    crowd.lab.send(connection.segment(head))
    forget(&crowd)
    let rest = Array("0123456789".utf8) + request("denied.net")
    #expect(crowd.lab.send(connection.segment(rest, at: UInt32(head.count))).action == .reject)
  }

  @Test("keeps refusing what was refused and dropped")
  func refused() {
    var exceptions = ExceptionPolicy()
    exceptions.helloIncomplete = .drop
    var crowd = Crowd(TestPolicy(exceptions: exceptions))
    let connection = TCPClient("93.184.216.10:443")
    crowd.lab.open(connection)
    let long = [UInt8](largeHello("good.example", padding: 17_000).prefix(16_500))
    #expect(crowd.lab.send(connection.segment(long)).action == .drop)
    forget(&crowd)
    #expect(crowd.lab.send(connection.segment([1, 2, 3], at: 16_500)).action == .reject)
  }

  @Test("resets no connection of other sessions, nor of its own that are known")
  func others() {
    var crowd = Crowd(TestPolicy(denied: ["denied.net"]))
    let other = crowd.connections(of: Crowd.neighbour, count: 10)
    let connection = TCPClient("93.184.216.10:443")
    crowd.lab.open(connection)
    crowd.lab.send(connection.segment(Array(hello("denied.net")[..<60])))
    forget(&crowd)
    crowd.lab.client = "10.88.0.7"
    #expect(crowd.lab.connect("93.184.216.11:443", sending: hello("good.example")).action == .accept)
    for connection in other { #expect(crowd.lab.send(connection.segment([23], at: 900)).action == .accept) }
    // Flows older than the daemon are still what the policy says, for sessions that lost nothing.
    let older = TCPClient("93.184.216.12:443", from: "10.88.0.8:39999")
    #expect(crowd.lab.send(older.segment([23, 3, 3])).action == .accept)
    #expect(crowd.lab.send(TCPClient("93.184.216.12:443", from: "10.88.0.7:39999").segment([23])).action == .reject)
  }

  @Test("lets no second half of a QUIC hello through, and both when they are said again")
  func quicHello() {
    typealias Builder = QUICInitialBuilder
    let message = Builder.hello("sub.denied.net", padding: 900)
    var crowd = Crowd(TestPolicy(denied: ["denied.net"]))
    crowd.lab.inspector = Inspector(
      policy: TestPolicy(denied: ["denied.net"]).snapshot, domains: TinySuffixes(),
      quicCryptography: Builder.cryptography(), limits: InspectorLimits(flows: Crowd.capacity))
    let client: Endpoint = "10.88.0.7:40000"
    func part(_ number: UInt32, _ range: Range<Int>) -> [UInt8] {
      PacketBuilder.udp(
        from: client, to: "93.184.216.10:443",
        payload: Builder(packetNumber: number).packet(Builder.crypto(message, range)))
    }
    let (first, second) = (part(0, 0..<600), part(1, 600..<message.count))
    #expect(crowd.lab.send(first).action == .accept)
    forget(&crowd)
    #expect(crowd.lab.inspector.counters.lost == 1)
    #expect(crowd.lab.send(second) == Verdict(.drop, .undecided, scope: .packet))
    #expect(crowd.lab.send(first).reason == .deniedName)
    #expect(crowd.lab.send(second).reason == .deniedName)
  }

  @Test("takes passed flows back once a tick, not for each that makes room")
  func passed() {
    var crowd = Crowd()
    crowd.lab.inspector.mayOffload = true
    let connections = crowd.connections(of: "10.88.0.7", count: 20)
    #expect(crowd.lab.inspector.counters.passed == 20)
    forget(&crowd)
    #expect(crowd.forgotten(connections) == 20)
    #expect(!crowd.lab.inspector.owesRevocation)
    crowd.lab.wait(seconds: 1)
    #expect(crowd.lab.inspector.owesRevocation)
  }
}
