import PacketInspect
import Testing

@Suite("Attribution of packets")
struct AttributionTests {
  /// A host whose evidence is what a test says.
  private struct Evidence: SessionEvidence {
    var find: @Sendable (PacketMeta) -> SessionFinding

    func finding(for _: PacketEndpoints, meta: PacketMeta, isLastAsk _: Bool, at _: Timestamp) -> SessionFinding {
      find(meta)
    }
  }

  private static let bySlot = Evidence { meta in
    .claim(SessionClaim(id: "slot-\(meta.slot)", agentType: "research", attribution: .cgroupSlot))
  }

  /// Counts how often it is asked.
  private final class Counting: SessionEvidence {
    private(set) var asked = 0

    func finding(
      for _: PacketEndpoints, meta _: PacketMeta, isLastAsk _: Bool, at _: Timestamp
    ) -> SessionFinding {
      asked += 1
      return .claim(SessionClaim(id: "one", agentType: "research", attribution: .cgroup))
    }
  }

  @Test("asks the host once a flow, however many packets it has")
  func askedOnce() {
    var lab = InspectorLab()
    let evidence = Counting()
    lab.inspector.evidence = evidence
    lab.hook = .output
    let connection = TCPClient("93.184.216.10:443", from: lab.freshEndpoint())
    lab.open(connection)
    lab.send(connection.segment(hello("good.example")))
    for part in 0..<20 { lab.send(connection.segment([23, 3, 3], at: 600 + UInt32(part))) }
    #expect(evidence.asked == 1)
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.24:9", payload: [1])
    for _ in 0..<20 { lab.send(datagram) }
    #expect(evidence.asked == 2)
  }

  private func sent(_ lab: InspectorLab) -> [String: UInt64] {
    Dictionary(uniqueKeysWithValues: lab.inspector.sessionOverviews().map { ($0.id, $0.figures.bytesOut) })
  }

  @Test("charges datagrams of one port to the control groups that sent them, one after the other")
  func portOfAnother() {
    var lab = InspectorLab()
    lab.inspector.evidence = Self.bySlot
    lab.hook = .output
    let client = lab.freshEndpoint()
    let datagram = PacketBuilder.udp(from: client, to: "93.184.216.24:9", payload: [1, 2])
    for slot in [1, 2, 2, 1, 2] as [UInt8] {
      lab.slot = slot
      lab.send(datagram)
    }
    #expect(sent(lab) == ["slot-1": 2 * UInt64(datagram.count), "slot-2": 3 * UInt64(datagram.count)])
  }

  @Test("keeps a connection with the session that opened it, whatever slot the kernel's own segments have")
  func connection() {
    var lab = InspectorLab()
    lab.inspector.evidence = Self.bySlot
    lab.hook = .output
    lab.slot = 1
    let connection = TCPClient("93.184.216.10:443", from: lab.freshEndpoint())
    lab.open(connection)
    lab.slot = 0
    lab.send(connection.segment(hello("good.example")))
    #expect(Set(sent(lab).keys) == ["slot-1"])
  }

  @Test("never charges a false source to whoever has the address by right", arguments: [true, false])
  func spoofed(isSenderKnown: Bool) throws {
    var lab = InspectorLab()
    let owner = SessionRegistration(
      id: "owner", agentType: "research", sources: [network("10.88.0.7/32")], cgroups: [])
    _ = try lab.inspector.startSession(owner, at: lab.now)
    let sender = isSenderKnown ? SessionClaim(id: "liar", agentType: "research", attribution: .container) : nil
    lab.inspector.evidence = Evidence { _ in .spoofed(sender, aspect: "hardware-address") }
    let datagram = PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.24:9", payload: [1])
    lab.send(datagram)
    #expect(lab.flags.contains(.spoofedSource))
    #expect(sent(lab)["owner"] == 0)
    #expect(sent(lab)[isSenderKnown ? "liar" : "unattributed-10.88.0.7"] == UInt64(datagram.count))
  }
}
