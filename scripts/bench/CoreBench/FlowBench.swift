import CoreC
import PacketInspect
import TestSupport

/// What the flow table costs as flows grow in number: bytes a flow, and time a packet beside one read of memory that is
/// as far away as the flow's state.
struct FlowBench {
  private static let agents: UInt32 = 0x0a40_0000
  private static let sessions = 1_000
  private static let start = Timestamp(seconds: 1_700_000_000)
  /// Bytes of what stands for a flow's state in the reference.
  private static let stateBytes = 192

  private struct Ignore: EventSink {
    mutating func record(_ event: consuming Event) {}
  }

  private let flows: Int
  private var inspector: Inspector<SystemSuffixes>
  private var sink = Ignore()
  private var now = Self.start
  private let order: [Int]
  private let hellos: [[UInt8]]
  private var packet: [UInt8] = []

  private init(flows: Int, suffixes: SystemSuffixes) {
    self.flows = flows
    var parts = PolicySnapshot.Parts()
    for session in 0..<Self.sessions {
      guard let source = IPNetwork("\(IPAddress(v4: Self.agents + UInt32(session)))/32") else { continue }
      parts.sessionSources.insert(source, ConfiguredSession(id: "session-\(session)", agentType: "bench"))
    }
    inspector = Inspector(
      policy: PolicySnapshot(parts, epoch: 1), domains: suffixes, limits: InspectorLimits(flows: flows))
    var traffic = Traffic(seed: 5)
    hellos = (0..<256).map { traffic.clientHello(Traffic.hostName($0), shuffled: false) }
    var places = Array(0..<flows)
    for last in stride(from: flows - 1, to: 0, by: -1) {
      places.swapAt(last, Int(traffic.next() % UInt64(last + 1)))
    }
    order = places
  }

  /// A table with a row for each number of flows, `passes` looks at each flow.
  static func run(passes: Int, suffixes: SystemSuffixes) -> String {
    var lines = [
      "| flows | bytes a flow | new flow, ns | decided flow, ns | one read as far away, ns | new flow in a full table, ns | allocations a decided packet |",
      "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for flows in [1_000, 10_000, 100_000, 1_000_000] {
      // Ten times the sessions and names that all need are there before anything is counted.
      var warming = FlowBench(flows: 2_000, suffixes: suffixes)
      warming.fill()
      lines.append(FlowBench(flows: flows, suffixes: suffixes).measured(passes: passes))
    }
    return lines.joined(separator: "\n")
  }

  private consuming func measured(passes: Int) -> String {
    let before = MemoryBench.residentBytes()
    let opened = time(flows) { $0.fill() }
    let bytes = MemoryBench.residentBytes() - before
    precondition(inspector.flowCount == flows, "\(inspector.flowCount) of \(flows) flows are there")
    var decided: [Double] = []
    var reads: [Double] = []
    var allocated = 0.0
    let rounds = max(1, 200_000 / flows)
    let far = [UInt64](repeating: 1, count: flows * Self.stateBytes / 8)
    for _ in 0..<passes {
      let allocations = corec_allocations()
      let fast = inspector.counters.fastPath
      decided.append(
        time(flows * rounds) { bench in
          for _ in 0..<rounds { bench.talk() }
        })
      precondition(inspector.counters.fastPath - fast == UInt64(flows * rounds), "the flows are not decided")
      allocated = Double(corec_allocations() - allocations) / Double(flows * rounds)
      reads.append(time(flows * rounds) { bench in bench.read(far, rounds) })
    }
    let full = time(flows) { $0.replaceAll() }
    precondition(inspector.flowCount == flows && inspector.counters.evicted == UInt64(flows))
    func text(_ values: [Double]) -> String { tenths(values.sorted()[values.count / 2]) }
    return
      "| \(flows) | \(bytes / flows) | \(tenths(opened)) | \(text(decided)) | \(text(reads)) | \(tenths(full)) | \(tenths(allocated)) |"
  }

  private func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  private mutating func time(_ count: Int, _ body: (inout FlowBench) -> Void) -> Double {
    let begin = corec_thread_nanoseconds()
    body(&self)
    return Double(corec_thread_nanoseconds() - begin) / Double(count)
  }

  private func client(_ flow: Int, port: Int = 1_024) -> Endpoint {
    Endpoint(address: Self.agents + UInt32(flow % Self.sessions), port: UInt16(port + flow / Self.sessions))
  }

  private static func server(_ flow: Int) -> Endpoint { Endpoint(address: Traffic.address(flow % 256), port: 443) }

  /// Opens every flow and lets it be decided by its hello. Counts as one packet a flow.
  private mutating func fill() {
    for flow in 0..<flows {
      let (client, server) = (client(flow), Self.server(flow))
      take(Packet.tcp(from: client, to: server, flags: Packet.Flags.syn, sequence: 1_000, acknowledgement: 0))
      take(
        Packet.tcp(
          from: client, to: server, flags: Packet.Flags.pushAck, sequence: 1_001, acknowledgement: 5_001,
          hellos[flow % 256]))
      take(
        Packet.tcp(from: client, to: server, flags: Packet.Flags.ack, sequence: 1_518, acknowledgement: 6_001))
      // 20,000 new connections a second.
      now = now.advanced(byNanoseconds: 50_000)
      if flow % 64 == 0 { inspector.tick(now: now, into: &sink) }
    }
  }

  /// One packet on every flow, in an order that is none.
  private mutating func talk() {
    begin(Packet.Flags.ack)
    for flow in order { take(flow, port: 1_024) }
  }

  /// As many new flows as there are: each takes another's place.
  private mutating func replaceAll() {
    begin(Packet.Flags.syn)
    for flow in order { take(flow, port: 30_000) }
  }

  private mutating func begin(_ flags: UInt8) {
    now = now.advanced(byNanoseconds: 2_000_000_000)
    packet = Packet.tcp(
      from: client(0), to: Self.server(0), flags: flags, sequence: 1_518, acknowledgement: 6_001)
  }

  /// Writes a flow's endpoints into the packet in hand.
  @inline(__always)
  private mutating func take(_ flow: Int, port: Int) {
    let (client, server) = (client(flow, port: port), Self.server(flow))
    for byte in 0..<4 {
      packet[12 + byte] = UInt8(truncatingIfNeeded: client.address >> UInt32(24 - 8 * byte))
      packet[16 + byte] = UInt8(truncatingIfNeeded: server.address >> UInt32(24 - 8 * byte))
    }
    packet[20] = UInt8(client.port >> 8)
    packet[21] = UInt8(client.port & 0xff)
    // Not a copy: the next packet would have to be one too.
    var bytes: [UInt8] = []
    swap(&bytes, &packet)
    take(bytes)
    swap(&bytes, &packet)
  }

  private mutating func take(_ packet: [UInt8]) {
    let meta = PacketMeta(hook: .forward, mark: 0, originalLength: packet.count)
    _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
  }

  /// Reads a word of each state in the same order. Each place depends on the read before, as a look-up's does.
  private func read(_ far: [UInt64], _ rounds: Int) {
    var shift = 0
    for _ in 0..<rounds {
      for flow in order {
        let place = flow * (Self.stateBytes / 8) + shift
        shift = Int(truncatingIfNeeded: far[place] &- 1)
      }
    }
    precondition(shift == 0)
  }
}
