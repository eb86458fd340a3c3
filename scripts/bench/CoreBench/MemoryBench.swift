import Glibc
import PacketInspect
import TestSupport

/// What sessions cost in memory: each with its own destinations, looked up and reached by TLS like real ones, so that
/// everything that is remembered of a session fills as it does in use.
///
/// Every connection has ended before what is resident is read: what is left is the sessions'. What the whole daemon
/// remembers (answers, flows, names) has grown to its size in the sessions that come first and are not counted.
struct MemoryBench {
  private static let resolver = Endpoint(address: 0x0a00_0035, port: 53)
  private static let agents: UInt32 = 0x0a40_0000
  private static let names = 20_000

  private var inspector: Inspector<SystemSuffixes>
  private var sink = Ignore()
  private let hellos: [[UInt8]]
  private var now = Timestamp(seconds: 1_700_000_000)
  private let destinations: Int

  /// Events are of no interest here.
  private struct Ignore: EventSink {
    mutating func record(_ event: consuming Event) {}
  }

  private init(sessions: Int, destinations: Int, suffixes: SystemSuffixes) {
    self.destinations = destinations
    var parts = PolicySnapshot.Parts()
    parts.trustedResolvers = [IPAddress(v4: Self.resolver.address)]
    for session in 0..<sessions {
      guard let source = IPNetwork("\(IPAddress(v4: Self.agents + UInt32(session)))/32") else { continue }
      parts.sessionSources.insert(source, ConfiguredSession(id: "session-\(session)", agentType: "bench"))
    }
    var type = AgentType(name: "bench", budget: BudgetPolicy(destinations: 200))
    let categories = CategoryNames()
    if let ordinary = categories.category(named: "package-registry") ?? categories.category(named: "cdn") {
      type.mix = MixBaseline([ordinary: 0.7]).map { MixPolicy($0) }
    }
    parts.agentTypes["bench"] = type
    inspector = Inspector(policy: PolicySnapshot(parts, epoch: 1), domains: suffixes)
    var traffic = Traffic(seed: 3)
    hellos = (0..<Self.names).map { traffic.clientHello(Self.name($0), shuffled: false) }
  }

  /// Registrable domains of 9 to 27 bytes, 18 in the mean, each met under a name below it.
  private static func name(_ number: Int) -> String {
    let filler = "abcdefghijklmnopqrs".prefix(number % 19)
    return "www.\(filler)\(10_000 + number % 90_000)\(number % 7 == 0 ? ".org" : ".com")"
  }

  /// One line a step: what sessions have grown to after it.
  static func run(sessions: Int, destinations: Int, suffixes: SystemSuffixes) -> String {
    let warming = 300
    var bench = MemoryBench(sessions: sessions + warming, destinations: destinations, suffixes: suffixes)
    for _ in 0..<2 { bench.pass(0..<warming, uploads: 2_000) }
    let before = residentBytes()
    var lines: [String] = []
    func report(_ step: String) {
      let bytes = residentBytes() - before
      lines.append("\(bytes / 1_000_000) MB, \(bytes / sessions) bytes a session: \(step)")
    }
    let measured = warming..<warming + sessions
    bench.pass(measured, uploads: 0)
    report("\(sessions) sessions have each looked up and reached \(destinations) destinations")
    bench.pass(measured, uploads: 2_000)
    report("once more a minute later, each time with a small upload")
    guard bench.inspector.sessions.count == sessions + warming else { return "the table did not take them" }
    return lines.joined(separator: "\n")
  }

  /// Lets each session look up and reach each of its destinations once.
  private mutating func pass(_ sessions: Range<Int>, uploads: Int) {
    now = now.advanced(byNanoseconds: 60_000_000_000)
    let payload = [UInt8](repeating: 0x17, count: uploads)
    for session in sessions {
      let address = Self.agents + UInt32(session)
      for destination in 0..<destinations {
        let number = (session &* 7_919 &+ destination) % Self.names
        let server = Endpoint(address: Traffic.address(number), port: 443)
        let client = Endpoint(address: address, port: UInt16(10_000 + destination))
        let asking = Endpoint(address: address, port: 5_354)
        let name = Self.name(number)
        let id = UInt16(destination + 1)
        take(Packet.udp(from: asking, to: Self.resolver, Traffic.dns(name, id: id)))
        take(Packet.udp(from: Self.resolver, to: asking, Traffic.dns(name, id: id, answer: server.address)))
        take(Packet.tcp(from: client, to: server, flags: Packet.Flags.syn, sequence: 1_000, acknowledgement: 0))
        take(
          Packet.tcp(
            from: client, to: server, flags: Packet.Flags.pushAck, sequence: 1_001, acknowledgement: 5_001,
            hellos[number]))
        take(
          Packet.tcp(from: client, to: server, flags: Packet.Flags.ack, sequence: 1_518, acknowledgement: 5_301))
        guard uploads > 0 else { continue }
        take(
          Packet.tcp(
            from: client, to: server, flags: Packet.Flags.pushAck, sequence: 1_518, acknowledgement: 5_301, payload))
      }
      inspector.finish(now: now, into: &sink)
    }
  }

  private mutating func take(_ packet: [UInt8]) {
    let meta = PacketMeta(hook: .forward, mark: 0, originalLength: packet.count)
    _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
  }

  /// Resident memory of this process (proc_pid_statm(5)).
  static func residentBytes() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard unsafe fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}
