import Testing

@testable import PacketInspect
@testable import nfq_egressd

/// What the first packet of a flow costs; later ones are not asked about (`AttributionTests`). The figures are printed
/// and are those of the build that runs.
@Suite("QueueLive: cost of attribution", .serialized, .enabled(if: Live.isEnabled))
struct AttributionCostLiveTests {
  private static let rounds = 1_000

  private func measure(_ kind: String, _ endpoints: PacketEndpoints, _ meta: PacketMeta, _ leases: AddressLeases? = nil)
    throws -> SessionFinding
  {
    let evidence = try HostEvidence(Configuration())
    if let leases { evidence.leases = leases }
    let now = WallClock.now()
    var found = SessionFinding.nothing
    let took = ContinuousClock().measure {
      for _ in 0..<Self.rounds { found = evidence.finding(for: endpoints, meta: meta, isLastAsk: false, at: now) }
    }
    print("attribution by \(kind): \(took / Self.rounds) a flow")
    return found
  }

  private func endpoints(_ source: String, _ proto: IPProtocol, port: UInt16) throws -> PacketEndpoints {
    PacketEndpoints(
      source: try #require(IPAddress(source)), sourcePort: port, destination: try #require(IPAddress("93.184.216.10")),
      destinationPort: 443, proto: proto.rawValue)
  }

  @Test("a socket that is gone leaves the slot, after one question")
  func slot() throws {
    var meta = PacketMeta(hook: .output, originalLength: 60)
    meta.slot = 5
    for proto in [IPProtocol.tcp, .udp] {
      let found = try measure("slot, \(proto)", try endpoints("127.0.0.1", proto, port: 40_000), meta)
      #expect(found == .claim(SessionClaim(id: "cgroup:slot-5", agentType: "unattributed", attribution: .cgroupSlot)))
    }
  }

  @Test(
    "a container's address and a false one are looked up, not asked for",
    arguments: [0x0200_0000_0001, 0x0200_0000_0002])
  func container(mac: UInt64) throws {
    let source = try #require(IPAddress("10.91.0.7"))
    var leases = AddressLeases()
    let now = WallClock.now()
    for number in 1...1_000 as ClosedRange<UInt32> {
      let address = number == 1 ? source : IPAddress(v4: 0x0a5c_0000 + number)
      let holder = LeaseHolder(owner: "\(number)", session: "s\(number)", agentType: "research")
      let leased = LeasedAddress(address, hardwareAddress: HardwareAddress(0x0200_0000_0000 + UInt64(number)))
      _ = leases.assign([leased], to: holder, at: now)
    }
    var meta = PacketMeta(hook: .forward, originalLength: 60)
    meta.hardwareAddress = HardwareAddress(mac)
    let isTrue = mac & 0xff == 1
    let found = try measure(
      isTrue ? "container" : "false source", try endpoints("10.91.0.7", .tcp, port: 40_000), meta, leases)
    let claim = SessionClaim(id: isTrue ? "s1" : "s2", agentType: "research", attribution: .container)
    #expect(found == (isTrue ? .claim(claim) : .spoofed(claim, aspect: "hardware-address")))
  }
}
