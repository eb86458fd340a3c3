import CoreC
import PacketInspect
import TestSupport

/// The whole inspector, by kind of packet: what each costs on its way from bytes to a decision.
struct InspectBench {
  private static let start = Timestamp(seconds: 1_700_000_000)
  private static let resolver = Endpoint(address: 0x0a00_0035, port: 53)
  /// Passes before the first that counts: tables and buffers grow to their size.
  static let warmUps = 2
  /// Packets in one receive of the daemon: as often it hands its events on.
  private static let batch = 64

  private let flows: Int
  private let decidedRounds: Int
  private var inspector: Inspector<SystemSuffixes>
  private var sink = BatchSink()
  private var now = Self.start

  // The packets of one kind, one of each flow.
  private var opening = PacketSet()
  private var acknowledgement = PacketSet()
  private var hello = PacketSet()
  private var answered = PacketSet()
  private var decided = PacketSet()
  private var webOpening = PacketSet()
  private var request = PacketSet()
  private var question = PacketSet()
  private let requestLength: [UInt32]

  /// `flows` connections of each kind at a time.
  init(flows: Int, decidedRounds: Int, suffixes: SystemSuffixes) {
    self.flows = flows
    self.decidedRounds = decidedRounds
    var parts = PolicySnapshot.Parts()
    parts.trustedResolvers = [IPAddress(v4: Self.resolver.address)]
    if let agents = IPNetwork("10.7.0.0/16") {
      parts.sessionSources.insert(agents, ConfiguredSession(id: "bench-1", agentType: "bench"))
    }
    inspector = Inspector(
      policy: PolicySnapshot(parts, epoch: 1), domains: suffixes,
      limits: InspectorLimits(flows: max(262_144, 4 * flows), namesPerSession: 4_096))
    var traffic = Traffic(seed: 2)
    let hellos = (0..<256).map { traffic.clientHello(Traffic.hostName($0), shuffled: $0 % 2 == 1) }
    var lengths: [UInt32] = []
    for flow in 0..<flows {
      let client = Endpoint(address: 0x0a07_0002 + UInt32(flow / 50_000), port: UInt16(10_000 + flow % 50_000))
      let number = flow % 256
      let server = Endpoint(address: Traffic.address(number), port: 443)
      func segment(_ to: Endpoint, _ flags: UInt8, _ sequence: UInt32, _ acknowledged: UInt32, _ payload: [UInt8] = [])
        -> [UInt8]
      {
        Packet.tcp(
          from: client, to: to, flags: flags, sequence: sequence, acknowledgement: acknowledged, payload)
      }
      opening.add(segment(server, Packet.Flags.syn, 1_000, 0))
      acknowledgement.add(segment(server, Packet.Flags.ack, 1_001, 5_001))
      hello.add(segment(server, Packet.Flags.pushAck, 1_001, 5_001, hellos[number]))
      answered.add(segment(server, Packet.Flags.ack, 1_518, 6_001))
      decided.add(segment(server, Packet.Flags.ack, 1_518, 9_001))
      let web = Endpoint(address: server.address, port: 80)
      webOpening.add(segment(web, Packet.Flags.syn, 1_000, 0))
      let head = Traffic.request(Traffic.hostName(number))
      request.add(segment(web, Packet.Flags.pushAck, 1_001, 5_001, head))
      lengths.append(UInt32(head.count))
      question.add(
        Packet.udp(from: client, to: Self.resolver, Traffic.dns(Traffic.hostName(number), id: UInt16(flow & 0xffff))))
    }
    requestLength = lengths
  }

  /// Lets agents look up every name once, so that the hellos' names are corroborated as in real traffic.
  private mutating func lookUpNames() {
    let client = Endpoint(address: 0x0a07_0002, port: 5_353 + 1)
    var lookups = PacketSet()
    for number in 0..<256 {
      let name = Traffic.hostName(number)
      let id = UInt16(number + 1)
      lookups.add(Packet.udp(from: client, to: Self.resolver, Traffic.dns(name, id: id)))
      lookups.add(
        Packet.udp(from: Self.resolver, to: client, Traffic.dns(name, id: id, answer: Traffic.address(number))))
    }
    feed(lookups)
  }

  /// Measures `repetitions` times; nanoseconds of CPU time and allocations a packet.
  mutating func run(repetitions: Int) -> [Row] {
    var rows = [
      Row(name: "SYN: a new flow"), Row(name: "ACK: nothing to judge yet"),
      Row(name: "ClientHello: judged by its name"),
      Row(name: "ACK of the server's answer: the flow is decided"), Row(name: "later packet of a decided flow"),
      Row(name: "request on a kept-alive connection"), Row(name: "DNS question of a known flow"),
    ]
    lookUpNames()
    for repetition in -Self.warmUps..<repetitions {
      let isCounted = repetition >= 0
      measure(&rows[0], opening, isCounted)
      measure(&rows[1], acknowledgement, isCounted)
      measure(&rows[2], hello, isCounted)
      measure(&rows[3], answered, isCounted)
      measure(&rows[4], decided, isCounted, rounds: decidedRounds)
      feed(webOpening)
      var requests = request
      for _ in 0..<2 {
        feed(requests)
        requests.advance(requestLength)
      }
      measure(&rows[5], requests, isCounted)
      feed(question)
      measure(&rows[6], question, isCounted)
      inspector.finish(now: now, into: &sink)
      sink.clear()
      now = now.advanced(byNanoseconds: 1_000_000_000)
      inspector.tick(now: now, into: &sink)
      sink.clear()
    }
    return rows
  }

  /// One row only: a decided flow among `flows` of them.
  mutating func runDecided(repetitions: Int, name: String) -> Row {
    var row = Row(name: name)
    lookUpNames()
    for set in [opening, acknowledgement, hello, answered] { feed(set) }
    for repetition in -1..<repetitions { measure(&row, decided, repetition >= 0, rounds: decidedRounds) }
    return row
  }

  /// Packets answered from a flow's decision, for a check that the rows measured what they say.
  var fastPath: UInt64 { inspector.counters.fastPath }
  /// Requests, hellos and questions that made events.
  var eventCounts: BatchSink.Counts { sink.counts }

  private mutating func feed(_ set: PacketSet) {
    var row = Row(name: "")
    measure(&row, set, false)
  }

  private mutating func measure(_ row: inout Row, _ set: PacketSet, _ isCounted: Bool, rounds: Int = 1) {
    let allocations = corec_allocations()
    let begin = corec_thread_nanoseconds()
    let accepted = pass(set, rounds: rounds)
    let time = corec_thread_nanoseconds() - begin
    let count = set.count * rounds
    precondition(accepted == count, "\(row.name): \(count - accepted) of \(count) packets were not accepted")
    guard isCounted else { return }
    row.swift.append(Double(time) / Double(count))
    row.allocations = Double(corec_allocations() - allocations) / Double(count)
  }

  private mutating func pass(_ set: PacketSet, rounds: Int) -> Int {
    var accepted = 0
    var waiting = 0
    set.forEach(rounds: rounds) { packet in
      let meta = PacketMeta(hook: .forward, mark: 0, originalLength: packet.byteCount)
      let decision = inspector.inspect(packet, meta: meta, now: now, into: &sink)
      if decision.verdict.action == .accept { accepted += 1 }
      waiting += 1
      if waiting == Self.batch {
        waiting = 0
        sink.clear()
      }
    }
    sink.clear()
    return accepted
  }
}

extension PacketSet {
  /// Moves each connection on by one request of its own length, answered by the server.
  fileprivate mutating func advance(_ lengths: [UInt32]) {
    for index in 0..<count { advanceTCP(index, sequence: lengths[index], acknowledgement: 300) }
  }
}

/// Takes events as the daemon's outbox does, and drops them where the daemon hands them to its writer.
struct BatchSink: EventSink {
  struct Counts: Equatable {
    var tls = 0
    var http = 0
    var dns = 0
  }

  private var batch: [Event] = []
  private(set) var counts = Counts()

  mutating func record(_ event: consuming Event) { batch.append(event) }

  mutating func clear() {
    guard !batch.isEmpty else { return }
    for event in batch {
      switch event.body {
      case .tls: counts.tls += 1
      case .http: counts.http += 1
      case .dnsQuery: counts.dns += 1
      default: break
      }
    }
    batch.removeAll(keepingCapacity: true)
  }
}
