import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("A resolver on the host")
struct ResolverTests {
  static let stub: Endpoint = "10.88.0.1:53"
  static let uplink: Endpoint = "93.184.216.2:40000"
  static let loopback: Endpoint = "127.0.0.53:53"

  @Test("asks for the session that asked it: nothing is charged twice, and the event says so")
  func joined() throws {
    var lab = InspectorLab()
    lab.askStub("www.good.example")
    let verdict = lab.askUpstream("www.good.example")
    #expect(verdict == Verdict(.accept, .allowed, scope: .packet))
    #expect(lab.destinations(of: "task-1") == ["good.example"])
    #expect(lab.inspector.sessions.index(of: "unattributed-93.184.216.2") == nil)
    #expect(lab.destinations(of: "resolver") == [])
    let session = try #require(lab.events.last?.session)
    #expect(session.id == "task-1" && session.attribution == .address && session.isViaResolver)
    #expect(lab.events.last?.destination?.isNew == false && lab.events.last?.budget?.used == 1)
    #expect(lab.events.first?.session?.isViaResolver == false)
  }

  @Test("teaches the asking session which addresses the name has")
  func learns() throws {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.askUpstream("good.example")
    lab.hook = .input
    lab.answer("good.example", [InspectorLab.record("good.example", "93.184.216.10")], to: Self.uplink)
    let session = try #require(lab.events.last?.session)
    #expect(session.id == "task-1" && session.isViaResolver)
    lab.hook = .forward
    lab.connect("93.184.216.10:443", sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sni && lab.destination?.key == "good.example")
    // Nameless, it is this session's name for the address, not the resolver's.
    lab.connect("93.184.216.10:22", sending: [1, 2, 3])
    #expect(lab.destinations(of: "task-1") == ["good.example"])
  }

  @Test("asks on its own account what nobody asked it, as the session resolver")
  func unknownNames() throws {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.askUpstream("renewed.example", port: 40_001)
    #expect(lab.destinations(of: "task-1") == ["good.example"])
    #expect(lab.destinations(of: "resolver") == ["renewed.example"])
    let session = try #require(lab.events.last?.session)
    #expect(session.id == "resolver" && session.agentType == "unattributed" && session.attribution == .resolver)
    #expect(!session.isViaResolver)
    // Only its DNS: what else the host sends stays what it was.
    lab.hook = .output
    lab.send(PacketBuilder.udp(from: "93.184.216.2:9", to: "93.184.216.30:9999", payload: [1]))
    #expect(lab.destinations(of: "unattributed-93.184.216.2") == ["93.184.216.30"])
    lab.askUpstream("other.example", port: 40_002)
    #expect(lab.destinations(of: "resolver") == ["renewed.example", "other.example"])
  }

  @Test("is not assumed where nobody was seen to ask one, nor long after")
  func noResolver() {
    var lab = InspectorLab()
    lab.askUpstream("one.example", port: 40_001)
    #expect(lab.destinations(of: "unattributed-93.184.216.2") == ["one.example"])
    lab.askStub("good.example")
    lab.wait(seconds: 599)
    lab.askUpstream("two.example", port: 40_002)
    #expect(lab.destinations(of: "resolver") == ["two.example"])
    lab.wait(seconds: 2)
    lab.askUpstream("three.example", port: 40_003)
    #expect(lab.destinations(of: "resolver") == ["two.example"])
    #expect(lab.destinations(of: "unattributed-93.184.216.2") == ["one.example", "three.example"])
  }

  @Test("asks on its own account once the question is some seconds old")
  func timeOut() {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.wait(seconds: 4)
    lab.askUpstream("good.example")
    #expect(lab.destinations(of: "resolver") == [])
    lab.wait(seconds: 1.5)
    lab.askUpstream("good.example")
    #expect(lab.destinations(of: "resolver") == ["good.example"])
  }

  @Test("asks for whoever asked last, question by question on one socket")
  func perQuestion() {
    var lab = InspectorLab()
    lab.askStub("shared.example")
    lab.askStub("shared.example", from: "10.88.0.9:50000")
    lab.askStub("only.example")
    lab.askUpstream("shared.example")
    #expect(lab.events.last?.session?.id == "unattributed-10.88.0.9")
    lab.askUpstream("only.example")
    #expect(lab.events.last?.session?.id == "task-1")
    lab.askUpstream("none.example")
    #expect(lab.events.last?.session?.id == "resolver")
  }

  @Test("is not asked what is denied: the question is refused on its way in, and would be on its way out")
  func denied() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    #expect(lab.askStub("denied.net") == Verdict(.reject, .deniedName, scope: .packet))
    #expect(lab.askUpstream("denied.net") == Verdict(.reject, .deniedName, scope: .packet))
    // The refused question made nobody the asker, so the second one was the host's own.
    #expect(lab.events.last { if case .drop = $0.body { true } else { false } }?.session?.id != "task-1")
    lab.askStub("late.example")
    lab.inspector.replacePolicy(TestPolicy(denied: ["late.example"], epoch: 2).snapshot)
    #expect(lab.askUpstream("late.example", port: 40_001).reason == .deniedName)
    let drop = lab.events.last { if case .drop = $0.body { true } else { false } }
    #expect(drop?.session?.id == "task-1" && drop?.session?.isViaResolver == true)
    #expect(lab.flags == [.denyHit, .denyHit, .denyHit])
  }

  @Test("is held with the session's budget, and goes on for names that the session has contacted")
  func held() {
    var lab = InspectorLab(TestPolicy(budget: BudgetPolicy(destinations: 1, onReach: .hold)))
    #expect(lab.askStub("one.example").action == .accept)
    #expect(lab.askUpstream("one.example").action == .accept)
    #expect(lab.askStub("two.example") == Verdict(.reject, .budgetHeld, scope: .packet))
    #expect(lab.askStub("www.one.example").action == .accept)
    #expect(lab.askUpstream("www.one.example").action == .accept)
    #expect(lab.destinations(of: "task-1") == ["one.example"])
    #expect(lab.destinations(of: "resolver") == [])
  }

  @Test("is charged itself with the servers that it chooses")
  func untrusted() {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.askUpstream("good.example", to: "93.184.216.99:53")
    #expect(lab.destinations(of: "task-1") == ["good.example"])
    #expect(lab.destinations(of: "resolver") == ["93.184.216.99"])
    // What nobody trusts teaches nothing, though its event shows whose answer it is.
    lab.hook = .input
    lab.answer(
      "good.example", [InspectorLab.record("good.example", "93.184.216.10")], to: Self.uplink, from: "93.184.216.99:53")
    #expect(lab.events.last?.session?.id == "task-1")
    lab.hook = .forward
    lab.connect("93.184.216.10:443", sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sniUnverified)
  }

  @Test("is found on loopback too, also one behind another")
  func onLoopback() {
    var lab = InspectorLab()
    lab.hook = .output
    lab.ask("good.example", from: "127.0.0.1:50000", to: Self.loopback)
    #expect(lab.events.last?.session?.id == "unattributed-127.0.0.1")
    // The same process once more is no resolver.
    lab.ask("good.example", from: "127.0.0.1:50001", to: Self.loopback)
    #expect(lab.events.last?.session?.isViaResolver == false)
    lab.ask("good.example", from: "127.0.0.2:50002", to: "127.0.0.1:53")
    lab.askUpstream("good.example")
    #expect(lab.events.suffix(2).map { $0.session?.id } == ["unattributed-127.0.0.1", "unattributed-127.0.0.1"])
    #expect(lab.events.suffix(2).allSatisfy { $0.session?.isViaResolver == true })
    #expect(lab.inspector.sessions.index(of: "resolver") != nil)
    #expect(lab.destinations(of: "resolver") == [])
  }

  @Test("is nobody that evidence attributes: a configured sender asks for itself")
  func configured() {
    var lab = InspectorLab()
    lab.askStub("good.example", from: "10.88.0.9:50000")
    lab.hook = .output
    lab.ask("good.example")
    #expect(lab.events.last?.session?.id == "task-1" && lab.events.last?.session?.isViaResolver == false)
    #expect(lab.destinations(of: "task-1") == ["good.example"])
    // Neither is one that is forwarded.
    lab.hook = .forward
    lab.ask("good.example", from: "10.88.0.10:50000")
    #expect(lab.events.last?.session?.id == "unattributed-10.88.0.10")
  }

  @Test("may be queued by a cgroup of its own, which is then the session of what nobody asked for")
  func ownCgroup() {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.inspector.evidence = OneCgroup(sender: Self.uplink.address, agentType: "unattributed")
    lab.askUpstream("good.example")
    #expect(lab.events.last?.session?.id == "task-1" && lab.events.last?.session?.isViaResolver == true)
    lab.askUpstream("renewed.example")
    #expect(lab.events.last?.session?.id == "cgroup:/resolver.service")
    #expect(lab.destinations(of: "cgroup:/resolver.service") == ["renewed.example"])
    // A cgroup that is an agent's asks for that agent.
    lab.inspector.evidence = OneCgroup(sender: address("93.184.216.3"), agentType: "research")
    lab.hook = .output
    lab.ask("good.example", from: "93.184.216.3:40000")
    #expect(lab.events.last?.session?.id == "cgroup:/resolver.service")
    #expect(lab.events.last?.session?.isViaResolver == false)
  }

  @Test("asks for one session or for none: an asked name carries no other with it")
  func severalQuestions() {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.hook = .output
    let names = ["good.example", "smuggled.example"]
    let both = DNSBuilder(questions: names.map { DNSBuilder.question(DNSBuilder.name($0)) })
    lab.send(PacketBuilder.udp(from: Self.uplink, to: InspectorLab.resolver, payload: both.bytes))
    #expect(lab.destinations(of: "task-1") == ["good.example"])
    #expect(lab.destinations(of: "resolver") == ["good.example", "smuggled.example"])
  }

  @Test("asks over TCP for the session that asked it")
  func overTCP() {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.hook = .output
    let connection = TCPClient(InspectorLab.resolver, from: Self.uplink)
    lab.open(connection)
    let question = DNSBuilder(questions: [DNSBuilder.question(DNSBuilder.name("good.example"))]).bytes
    lab.send(connection.segment([UInt8(question.count >> 8), UInt8(question.count & 0xff)] + question))
    #expect(lab.events.last?.session?.id == "task-1" && lab.events.last?.session?.isViaResolver == true)
    #expect(lab.destinations(of: "resolver") == [])
  }

  @Test("does not ask for a session that has ended, nor for the one that has its place")
  func ended() throws {
    var lab = InspectorLab()
    lab.askStub("good.example")
    _ = try lab.inspector.endSession("task-1", at: lab.now, into: &lab.sink)
    lab.askUpstream("good.example")
    #expect(lab.events.last?.session?.id == "resolver")
    lab.askStub("good.example", from: "10.88.0.9:50000")
    _ = try lab.inspector.endSession("unattributed-10.88.0.9", at: lab.now, into: &lab.sink)
    lab.askStub("other.example", from: "10.88.0.10:50000")
    lab.askUpstream("good.example", port: 40_001)
    #expect(lab.events.last?.session?.id == "resolver")
  }

  @Test("does not take the place of a session that has its name")
  func nameTaken() {
    var lab = InspectorLab()
    let registration = SessionRegistration(id: "resolver", agentType: "research", sources: [network("10.88.0.20/32")])
    #expect(throws: Never.self) { try lab.inspector.startSession(registration, at: lab.now) }
    lab.askStub("good.example")
    lab.askUpstream("renewed.example")
    #expect(lab.destinations(of: "resolver") == [])
    #expect(lab.destinations(of: "unattributed-93.184.216.2") == ["renewed.example"])
  }

  @Test("shows in events as the schema has it")
  func schema() throws {
    var lab = InspectorLab()
    lab.askStub("good.example")
    lab.askUpstream("good.example")
    lab.askUpstream("renewed.example")
    let schema = try JSONSchema(file: ConfigurationFixture.repositoryFile("docs/event.schema.json"))
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    let lines = lab.events.map { String(decoding: encoder.line($0).dropLast(), as: UTF8.self) }
    for line in lines { #expect(schema.faults(of: try Fixture.json(line)) == [], "\(line)") }
    #expect(lines[1].contains(#""session":"task-1","agent_type":"research","attribution":"address","via":"resolver""#))
    #expect(lines[2].contains(#""session":"resolver","agent_type":"unattributed","attribution":"resolver""#))
    #expect(lines.filter { $0.contains(#""via""#) }.count == 1)
  }

  @Test("is not overwhelmed by a flood of names: a slot's former name is merely forgotten")
  func flood() throws {
    var recent = RecentQuestions(seed: 1)
    let now = Timestamp(seconds: 10)
    for number in 0..<100_000 { recent.note(host("n\(number).example"), session: 1, at: now) }
    recent.note(host("good.example"), session: 2, at: now)
    #expect(recent.asker(of: host("good.example"), at: now)?.session == 2)
    let known = (0..<100_000).filter { recent.asker(of: host("n\($0).example"), at: now) != nil }.count
    #expect(known > RecentQuestions.slots / 2 && known < RecentQuestions.slots)
  }
}

/// Evidence that one sender's socket is in a cgroup.
private struct OneCgroup: SessionEvidence {
  var sender: IPAddress
  var agentType: String

  func finding(for endpoints: PacketEndpoints, meta: PacketMeta, isLastAsk: Bool, at now: Timestamp) -> SessionFinding {
    guard endpoints.source == sender else { return .nothing }
    return .claim(SessionClaim(id: "cgroup:/resolver.service", agentType: agentType, attribution: .cgroupSlot))
  }
}

extension InspectorLab {
  /// What a session is charged with; empty without one.
  fileprivate func destinations(of session: String) -> Set<String> {
    guard let index = inspector.sessions.index(of: session) else { return [] }
    return Set(inspector.sessions[index].budget.destinations.keys.map(\.text))
  }

  /// An agent's question to the host's resolver.
  @discardableResult
  fileprivate mutating func askStub(_ name: String, from client: Endpoint? = nil) -> Verdict {
    hook = .input
    return ask(name, from: client, to: ResolverTests.stub).verdict
  }

  /// The resolver's own question.
  @discardableResult
  fileprivate mutating func askUpstream(
    _ name: String, port: UInt16 = 40_000, to server: Endpoint = InspectorLab.resolver
  ) -> Verdict {
    hook = .output
    return ask(name, from: Endpoint(ResolverTests.uplink.address, port), to: server).verdict
  }
}
