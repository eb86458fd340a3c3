import DiagC
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

/// An inspector with packets that each begin a flow. A class, so that what is timed changes it in place.
final class Bench {
  private var inspector: Inspector<NoSuffixes>
  private var sink = NoEvents()
  private var now = Timestamp(seconds: 1_700_000_000)
  private let packets: [[UInt8]]
  private let client: IPAddress
  var meta: PacketMeta

  init(_ packets: [[UInt8]], from client: IPAddress, _ meta: PacketMeta, configured: Bool = false) throws {
    var parts = PolicySnapshot.Parts()
    let name = nfq_egressd.AgentType.unattributedName
    parts.agentTypes[name] = PacketInspect.AgentType(name: name, budget: nil)
    if configured {
      parts.sessionSources.insert(
        try #require(IPNetwork("10.91.0.7/32")), ConfiguredSession(id: "configured", agentType: "unattributed"))
    }
    inspector = Inspector(policy: PolicySnapshot(parts, epoch: 1), domains: NoSuffixes())
    self.packets = packets
    self.client = client
    self.meta = meta
    self.meta.originalLength = packets[0].count
  }

  var evidence: HostEvidence? {
    get { inspector.evidence as? HostEvidence }
    set { inspector.evidence = newValue }
  }
  var fastPath: UInt64 { inspector.counters.fastPath }
  var flows: Int { inspector.flowCount }
  /// What the sessions rest on.
  var attributions: Set<Attribution> { Set(inspector.sessionOverviews().map(\.attribution)) }
  var refused: UInt64 { inspector.counters.dropped + inspector.counters.rejected }

  func register(_ registration: SessionRegistration) throws { _ = try inspector.startSession(registration, at: now) }

  /// Sends each packet, `rounds` times.
  func send(rounds: Int = 1) {
    for _ in 0..<rounds {
      for packet in packets { _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink) }
    }
  }

  /// Forgets the flows, so that the next packets begin others. A second passes, which renews the time that walks over
  /// a port's sockets may take.
  func forget() {
    inspector.forgetFlows(of: client, at: now, into: &sink)
    now = now.advanced(byNanoseconds: 1_000_000_000)
  }
}

/// One kind of attribution, beside the same packets without any evidence.
struct Kind {
  /// Flows a repetition.
  static let count = 32

  var samples: Samples
  let ours: Bench
  let reference: Bench
  let expected: Attribution

  mutating func run(_ repetition: Int) {
    samples.add(repetition, Self.count, ours: { ours.send() }, reference: { reference.send() })
    ours.forget()
    reference.forget()
  }

  /// A row that measured something else would be worse than none.
  func check() throws {
    #expect(ours.attributions.contains(expected), "\(samples.name): \(ours.attributions)")
    #expect(ours.refused == 0 && reference.refused == 0, "\(samples.name)")
  }

  /// Packets that come by from a bridge.
  static func addresses() throws -> [Kind] {
    func kind(_ name: String, _ expected: Attribution, mac: UInt64 = 1, configured: Bool = false, leases: Bool = false)
      throws -> Kind
    {
      let source = try #require(IPAddress("10.91.0.7"))
      let target = try #require(IPAddress("93.184.216.10"))
      let packets = (0..<count).map {
        Packets.first(Packets.udp, from: source, 40_000 + UInt16($0), to: target, 9)
      }
      var meta = PacketMeta(hook: .forward, originalLength: 0)
      meta.inputInterface = 5
      meta.hardwareAddress = HardwareAddress(0x0200_0000_0000 + mac)
      let bench = try Bench(packets, from: source, meta, configured: configured)
      bench.evidence = try HostEvidence(Configuration())
      if leases { bench.evidence?.leases = try thousandLeases(source) }
      let plain = try Bench(packets, from: source, meta)
      return Kind(samples: Samples(name), ours: bench, reference: plain, expected: expected)
    }
    let registered = try kind("registered address", .registeredAddress)
    try registered.ours.register(
      SessionRegistration(
        id: "reg", agentType: "unattributed", sources: [try #require(IPNetwork("10.91.0.7/32"))], cgroups: []))
    return try [
      kind("nothing known: the source address alone", .unattributed),
      kind("configured address", .address, configured: true),
      registered, kind("container's lease, of 1,000", .container, leases: true),
      kind("container's lease, false source", .container, mac: 2, leases: true),
    ]
  }

  private static func thousandLeases(_ source: IPAddress) throws -> AddressLeases {
    var leases = AddressLeases()
    for number in 1...1_000 as ClosedRange<UInt32> {
      let address = number == 1 ? source : IPAddress(v4: 0x0a5c_0000 + number)
      let holder = LeaseHolder(owner: "\(number)", session: "s\(number)", agentType: "unattributed")
      let leased = LeasedAddress(address, hardwareAddress: HardwareAddress(0x0200_0000_0000 + UInt64(number)))
      _ = leases.assign([leased], to: holder, at: Timestamp(seconds: 1))
    }
    return leases
  }

  /// Packets that this host sends: from open sockets, and from ones that are gone.
  static func controlGroups() throws -> [Kind] {
    let own = try #require(ProcFile.read("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::") })
    let registration = SessionRegistration(
      id: "own", agentType: "unattributed", sources: [], cgroups: [String(own.dropFirst(3))])
    var kinds: [Kind] = []
    for (word, proto) in [("TCP", Packets.tcp), ("UDP", Packets.udp)] {
      for ipv6 in [false, true] {
        let sockets = try #require(Sockets(proto, ipv6: ipv6, count: count))
        let packets = sockets.ends.map {
          Packets.first(proto, from: $0.local, $0.localPort, to: $0.remote, $0.remotePort)
        }
        let ours = try Bench(packets, from: sockets.ends[0].local, PacketMeta(hook: .output, originalLength: 0))
        ours.evidence = try HostEvidence(Configuration())
        ours.evidence?.register(registration)
        let plain = try Bench(packets, from: sockets.ends[0].local, ours.meta)
        kinds.append(
          Kind(
            samples: Samples("control group by sock_diag, \(word) over IPv\(ipv6 ? 6 : 4)"), ours: ours,
            reference: plain, expected: .registeredCgroup))
        unsafe kept.append(sockets)
      }
      kinds.append(try slotOnly(word, proto))
    }
    return kinds
  }

  /// Sockets that stay open as long as the process.
  nonisolated(unsafe) private static var kept: [Sockets] = []

  private static func slotOnly(_ word: String, _ proto: UInt8) throws -> Kind {
    let source = try #require(IPAddress("127.0.0.1"))
    // Nobody has ports this low.
    let packets = (0..<count).map { Packets.first(proto, from: source, 2 + UInt16($0), to: source, 1) }
    var meta = PacketMeta(hook: .output, originalLength: 0)
    meta.slot = 5
    let ours = try Bench(packets, from: source, meta)
    ours.evidence = try HostEvidence(Configuration())
    let plain = try Bench(packets, from: source, meta)
    let walk = proto == Packets.udp ? ", with a walk over the port's sockets" : ""
    return Kind(
      samples: Samples("rule's slot alone, \(word): the socket is gone\(walk)"), ours: ours, reference: plain,
      expected: .cgroupSlot)
  }
}

/// Later packets of flows, with attribution and without.
struct Later {
  private static let flows = 64
  private static let rounds = 64

  var samples: Samples
  let ours: Bench
  let reference: Bench
  /// Packets on the fast path when the measurement began, on either side.
  private let before: UInt64

  private struct Undecided: Error {}

  mutating func run(_ repetition: Int) {
    samples.add(
      repetition, Self.flows * Self.rounds, ours: { ours.send(rounds: Self.rounds) },
      reference: { reference.send(rounds: Self.rounds) })
  }

  func check() throws {
    for bench in [ours, reference] {
      // What came before the decision was sent when this was made.
      #expect(bench.fastPath - before == UInt64((samples.ours.count + 2) * Self.flows * Self.rounds), "\(samples.name)")
      #expect(bench.flows == Self.flows)
    }
  }

  static func forwarded() throws -> Later {
    try make("forwarded: each held against its flow's sender", .forward) { meta in
      meta.inputInterface = 5
      meta.hardwareAddress = HardwareAddress(0x0200_0000_0001)
    }
  }

  static func own() throws -> Later {
    try make("sent by this host", .output) { $0.slot = 5 }
  }

  private static func make(_ name: String, _ hook: Hook, _ change: (inout PacketMeta) -> Void) throws -> Later {
    let source = try #require(IPAddress("10.91.0.7"))
    let target = try #require(IPAddress("93.184.216.10"))
    let packets = (0..<flows).map { Packets.first(Packets.udp, from: source, 40_000 + UInt16($0), to: target, 9) }
    let plain = PacketMeta(hook: hook, originalLength: 0)
    var known = plain
    change(&known)
    let ours = try Bench(packets, from: source, known)
    ours.evidence = try HostEvidence(Configuration())
    let reference = try Bench(packets, from: source, plain)
    // A flow of datagrams is looked at for QUIC a few times before it is decided.
    ours.send(rounds: 16)
    reference.send(rounds: 16)
    guard ours.fastPath > 0 else { throw Undecided() }
    return Later(samples: Samples(name), ours: ours, reference: reference, before: ours.fastPath)
  }
}

/// One question to sock_diag: ours, with its checks, and the least that C can do.
struct Question {
  private static let count = 32

  var samples: Samples
  private let sockets: Sockets
  private let ipv6: Bool
  private let ours: Asking
  private let bare: Int32

  private final class Asking {
    var diagnosis: SocketDiagnosis
    var found = 0
    init() throws { diagnosis = try SocketDiagnosis() }
  }
  private final class Found { var count = 0 }
  private let foundBare = Found()

  init(ipv6: Bool) throws {
    samples = Samples("one question to sock_diag, TCP over IPv\(ipv6 ? 6 : 4); the reference is bare C")
    self.ipv6 = ipv6
    sockets = try #require(Sockets(Packets.tcp, ipv6: ipv6, count: Self.count))
    ours = try Asking()
    bare = diag_open()
    #expect(bare >= 0)
  }

  mutating func run(_ repetition: Int) {
    let proto = IPProtocol.tcp
    let questions = sockets.ends.map {
      SocketEndpoints(
        local: $0.local, localPort: $0.localPort, remote: $0.remote, remotePort: $0.remotePort, proto: proto)
    }
    let raw = sockets.ends.map { ends in
      (ipv6 ? Packets.bytes(ends.local) : Array(Packets.bytes(ends.local).suffix(4)), ends.localPort, ends.remotePort)
    }
    samples.add(
      repetition, Self.count,
      ours: {
        for question in questions { if case .found = ours.diagnosis.lookup(question) { ours.found += 1 } }
      },
      reference: {
        for (address, local, remote) in raw {
          foundBare.count += Int(unsafe diag_ask(bare, ipv6 ? 1 : 0, address, local, address, remote))
        }
      })
  }

  func check() throws {
    let expected = (samples.ours.count + 2) * Self.count
    #expect(ours.found == expected && foundBare.count == expected, "\(samples.name)")
  }
}
