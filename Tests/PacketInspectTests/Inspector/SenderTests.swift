import Testing

@testable import PacketInspect

@Suite("Senders on a known flow")
struct SenderTests {
  /// A bridge with two containers' leases, and with routes behind it of which nothing is known.
  private struct Bridge: SessionEvidence {
    static let honest = HardwareAddress(0x02_42_0a_58_00_07)
    static let liar = HardwareAddress(0x02_42_0a_58_00_08)
    var leases: [IPAddress: (HardwareAddress, String)] = [
      address("10.88.0.7"): (honest, "honest"), address("10.88.0.8"): (liar, "liar"),
    ]

    func finding(
      for endpoints: PacketEndpoints, meta: PacketMeta, isLastAsk _: Bool, at _: Timestamp
    ) -> SessionFinding {
      let owner = leases.values.first { $0.0 == meta.hardwareAddress }
      let claim = owner.map { SessionClaim(id: $0.1, agentType: "research", attribution: .container) }
      guard let lease = leases[endpoints.source] else {
        return claim.map { .spoofed($0, aspect: "hardware-address") } ?? .nothing
      }
      if lease.0 == meta.hardwareAddress, let claim { return .claim(claim) }
      return .spoofed(claim, aspect: "hardware-address")
    }
  }

  private static let server: Endpoint = "93.184.216.24:9"

  private func onBridge() -> InspectorLab {
    var lab = InspectorLab()
    lab.inspector.evidence = Bridge()
    (lab.interface, lab.hardwareAddress) = (5, Bridge.honest)
    return lab
  }

  private func sent(_ lab: InspectorLab) -> [String: UInt64] {
    Dictionary(uniqueKeysWithValues: lab.inspector.sessionOverviews().map { ($0.id, $0.figures.bytesOut) })
  }

  @Test("a neighbour's packet on a live flow is dropped, charged to nobody's flow, and told once as the sender's")
  func neighbour() throws {
    var lab = onBridge()
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1, 2, 3])
    lab.send(datagram)
    lab.hardwareAddress = Bridge.liar
    for _ in 0..<5 { #expect(lab.send(datagram) == Verdict(.drop, .evasion, scope: .packet)) }
    lab.hardwareAddress = Bridge.honest
    #expect(lab.send(datagram).action == .accept)
    #expect(sent(lab) == ["honest": 2 * UInt64(datagram.count), "liar": 0])
    #expect(lab.flags == [.spoofedSource])
    let alert = try #require(lab.events.first { if case .alert = $0.body { true } else { false } })
    #expect(alert.session?.id == "liar")
    #expect(alert.verdict?.action == .drop)
    #expect(lab.inspector.counters.foreign == 5)
  }

  @Test("a neighbour's segment does not advance a stream: the hello that follows is read", arguments: [0, 1])
  func stream(kind: Int) {
    var lab = onBridge()
    let connection = TCPClient("93.184.216.10:443", from: lab.freshEndpoint())
    lab.open(connection)
    lab.hardwareAddress = Bridge.liar
    // Bytes in the place of the hello, or a reset that would have the flow forgotten.
    let forged = kind == 0 ? connection.segment(Array("nothing".utf8)) : connection.segment([], flags: .rst)
    #expect(lab.send(forged).action == .drop)
    lab.hardwareAddress = Bridge.honest
    #expect(lab.send(connection.segment(hello("good.example"))).action == .accept)
    let names = lab.events.compactMap { if case .tls(let hello) = $0.body { hello.serverName } else { nil } }
    #expect(names.count == 1)
  }

  @Test("nor does it where the flow was decided long ago")
  func decided() {
    var lab = onBridge()
    let connection = TCPClient("93.184.216.10:443", from: lab.freshEndpoint())
    lab.open(connection)
    lab.send(connection.segment(hello("good.example")))
    let before = sent(lab)
    let fast = lab.inspector.counters.fastPath
    lab.hardwareAddress = Bridge.liar
    lab.wait(seconds: 60)
    #expect(lab.send(connection.segment([23, 3, 3], at: 600)).action == .drop)
    #expect(sent(lab)["honest"] == before["honest"])
    #expect(lab.inspector.counters.fastPath == fast)
  }

  @Test("who has the address by right takes over what a neighbour began in its name")
  func preempted() {
    var lab = onBridge()
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1])
    lab.hardwareAddress = Bridge.liar
    lab.send(datagram)
    lab.hardwareAddress = Bridge.honest
    #expect(lab.send(datagram).action == .accept)
    #expect(sent(lab) == ["honest": UInt64(datagram.count), "liar": UInt64(datagram.count)])
    lab.hardwareAddress = Bridge.liar
    #expect(lab.send(datagram).action == .drop)
  }

  @Test("in observe mode it goes on, and is charged to nobody")
  func observed() {
    var lab = InspectorLab(TestPolicy(mode: .observe))
    lab.inspector.evidence = Bridge()
    (lab.interface, lab.hardwareAddress) = (5, Bridge.honest)
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1])
    lab.send(datagram)
    lab.hardwareAddress = Bridge.liar
    #expect(lab.send(datagram).action == .accept)
    #expect(sent(lab) == ["honest": UInt64(datagram.count), "liar": 0])
  }

  @Test("another link of the same session goes on with its flow")
  func sameSession() {
    var lab = onBridge()
    var bridge = Bridge()
    let second = HardwareAddress(0x02_42_0a_58_00_09)
    bridge.leases[address("10.88.0.9")] = (second, "honest")
    lab.inspector.evidence = bridge
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1])
    for hardware in [Bridge.honest, second, Bridge.honest] {
      lab.hardwareAddress = hardware
      #expect(lab.send(datagram).action == .accept)
    }
    #expect(sent(lab)["honest"] == 3 * UInt64(datagram.count))
  }

  @Test("a packet that nothing tells of (sent by this host, captured) never differs")
  func unknown() {
    var lab = onBridge()
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1])
    lab.send(datagram)
    (lab.interface, lab.hardwareAddress) = (0, nil)
    #expect(lab.send(datagram).action == .accept)
    #expect(lab.flags == [])
  }

  @Test("where nothing is known of senders, another may go on only with a flow that has fallen silent")
  func failover() {
    var lab = InspectorLab()
    (lab.interface, lab.hardwareAddress) = (5, Bridge.honest)
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: Self.server, payload: [1])
    lab.send(datagram)
    lab.hardwareAddress = Bridge.liar
    #expect(lab.send(datagram).action == .drop)
    lab.wait(seconds: 2)
    #expect(lab.send(datagram).action == .drop)
    lab.wait(seconds: 1.1)
    #expect(lab.send(datagram).action == .accept)
    #expect(sent(lab)["task-1"] == 2 * UInt64(datagram.count))
    #expect(lab.flags == [.spoofedSource])
  }

  @Test("an answer that an agent gives itself names nothing")
  func answerer() {
    var lab = onBridge()
    let asked = lab.ask("good.example")
    lab.hardwareAddress = Bridge.liar
    let records = [InspectorLab.record("good.example", "93.184.216.10")]
    #expect(lab.answer("good.example", records, to: asked.client).action == .drop)
    #expect(lab.flags == [.spoofedSource])
    // The resolver's own comes by another interface.
    (lab.interface, lab.hardwareAddress) = (2, HardwareAddress(0x02_00_00_00_00_01))
    #expect(lab.answer("good.example", records, to: asked.client).action == .accept)
  }

  @Test("a flow is at most 200 bytes, its sender's tag among them")
  func size() { #expect(MemoryLayout<FlowState>.stride <= 200) }
}
