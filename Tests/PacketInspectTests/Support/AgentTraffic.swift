import TestSupport

@testable import PacketInspect

/// The packets of one simulated agent session, as live rules queue them: what the agent sends, and DNS answers.
///
/// Large segments are told by their headers alone, so that a day of traffic is cheap to make.
struct AgentTraffic {
  static let agent = address("10.88.0.7")

  enum Kind { case tls, quic, ssh, database }

  private enum Step {
    case lookUp(String, IPAddress)
    case segment(Endpoint, Endpoint, TCPFlags, acknowledgement: UInt32, length: Int, bytes: [UInt8], sequence: UInt32)
    case datagram(Endpoint, Endpoint, length: Int, bytes: [UInt8])
    case echo(IPAddress)
  }

  var random: SplitMix64
  private var steps: [(time: Double, order: Int, step: Step)] = []
  private var port: UInt16 = 1_024
  private var addresses: [String: IPAddress] = [:]
  private var lookedUp: [String: Double] = [:]

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  // MARK: Chance

  mutating func uniform(_ low: Double, _ high: Double) -> Double { Double.random(in: low...high, using: &random) }
  mutating func integer(_ low: Int, _ high: Int) -> Int { Int.random(in: low...high, using: &random) }
  mutating func happens(_ probability: Double) -> Bool { uniform(0, 1) < probability }
  /// Log-normal about a median; the sum of twelve uniforms is normal enough.
  mutating func around(_ median: Double, spread: Double) -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += uniform(0, 1) }
    var (value, exponent) = (1.0, abs(sum * spread))
    while exponent > 0.001 {
      let part = min(exponent, 0.001)
      value *= 1 + part
      exponent -= part
    }
    return sum < 0 ? median / value : median * value
  }
  /// An index below `count`, low ones likelier.
  mutating func ranked(_ count: Int) -> Int {
    let one = uniform(0, 1)
    return min(count - 1, Int(Double(count) * one * one * one))
  }

  // MARK: Flows

  /// What is sent and received, at seconds after the flow's start.
  struct Exchange {
    var at: Double
    var out: Int
    var back: Int
    init(_ at: Double, out: Int, back: Int) { (self.at, self.out, self.back) = (at, out, back) }
  }

  mutating func addressOf(_ name: String) -> IPAddress {
    if let known = addresses[name] { return known }
    let number = UInt32(addresses.count)
    let made = IPAddress(v4: 0x5db8_0000 | (number + 0x1000))
    addresses[name] = made
    return made
  }

  mutating func lookUp(_ name: String, at time: Double) {
    // Generators go through the session one after the other: a later lookup is none yet.
    if let last = lookedUp[name], last <= time, time - last < 60 { return }
    lookedUp[name] = time
    add(time - 0.02, .lookUp(name, addressOf(name)))
  }

  /// A connection to a name, looked up first.
  mutating func flow(_ name: String, _ kind: Kind = .tls, at time: Double, _ exchanges: [Exchange], port: UInt16 = 443)
  {
    lookUp(name, at: time)
    flow(to: Endpoint(addressOf(name), port), name: name, kind, at: time, exchanges)
  }

  /// A connection to an address; without a name its hello has none.
  mutating func flow(to server: Endpoint, name: String?, _ kind: Kind, at time: Double, _ exchanges: [Exchange]) {
    port = port &+ 1 < 1_024 ? 1_024 : port &+ 1
    let client = Endpoint(Self.agent, port)
    if kind == .quic { return quic(client, server, at: time, exchanges) }
    var acknowledged = UInt32(truncatingIfNeeded: random.next())
    var now = time
    func segment(_ flags: TCPFlags, length: Int = 0, bytes: [UInt8] = []) -> Step {
      .segment(client, server, flags, acknowledgement: acknowledged, length: length, bytes: bytes, sequence: 1_001)
    }
    add(now, .segment(client, server, .syn, acknowledgement: 0, length: 0, bytes: [], sequence: 1_000))
    now += 0.02
    add(now, segment(.ack))
    var opening: [UInt8]
    switch kind {
    case .ssh: opening = Array("SSH-2.0-OpenSSH_9.6\r\n".utf8)
    case .database: opening = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]
    default: opening = name.map { hello($0) } ?? TLSHelloBuilder.nameless
    }
    add(now + 0.001, segment([.psh, .ack], bytes: opening))
    var sequence = UInt32(1_001 + opening.count)
    if kind == .database {
      acknowledged &+= 1
      let inner = hello(name ?? "db.example")
      add(
        now + 0.03,
        .segment(
          client, server, [.psh, .ack], acknowledgement: acknowledged, length: 0, bytes: inner, sequence: sequence))
      sequence += UInt32(inner.count)
    }
    acknowledged &+= UInt32(integer(2_500, 5_000))
    now += 0.05
    add(now, segment(.ack))
    add(now + 0.001, segment([.psh, .ack], length: 64))
    var end = now
    for exchange in exchanges {
      now = max(time + 0.06 + exchange.at, end)
      var left = exchange.out
      while left > 0 {
        let part = min(left, 60_000)
        add(now, segment([.psh, .ack], length: part))
        left -= part
        now += 0.002
      }
      let pieces = max(1, min(12, exchange.back / 20_000))
      for _ in 0..<pieces {
        acknowledged &+= UInt32(exchange.back / pieces)
        now += 0.03
        add(now, segment(.ack))
      }
      end = now
    }
    add(end + 0.1, segment([.fin, .ack]))
  }

  private mutating func quic(_ client: Endpoint, _ server: Endpoint, at time: Double, _ exchanges: [Exchange]) {
    // Version 1, and keys nobody has: only sizes matter.
    let initial: [UInt8] = [0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0]
    for step in 0..<3 { add(time + Double(step) * 0.02, .datagram(client, server, length: 1_200, bytes: initial)) }
    add(time + 0.07, .datagram(client, server, length: 60, bytes: [0x40]))
    for exchange in exchanges {
      var now = time + 0.1 + exchange.at
      var left = exchange.out
      while left > 0 {
        add(now, .datagram(client, server, length: min(left, 1_300), bytes: [0x40]))
        left -= 1_300
        now += 0.001
      }
      for _ in 0..<min(200, max(2, exchange.back / 8_000)) {
        now += 0.005
        add(now, .datagram(client, server, length: 38, bytes: [0x40]))
      }
    }
  }

  mutating func datagram(_ name: String, port serverPort: UInt16, bytes: [UInt8], at time: Double) {
    port = port &+ 1 < 1_024 ? 1_024 : port &+ 1
    add(
      time,
      .datagram(Endpoint(Self.agent, port), Endpoint(addressOf(name), serverPort), length: bytes.count, bytes: bytes))
  }

  mutating func echo(_ name: String, at time: Double) { add(time, .echo(addressOf(name))) }

  private mutating func add(_ time: Double, _ step: Step) { steps.append((time, steps.count, step)) }

  /// How many packets it takes.
  var count: Int { steps.count }

  // MARK: Running

  /// Runs it through an inspector of its own; returns the flags.
  func flags(_ policy: TestPolicy = TestPolicy(), shape: ShapePolicy? = nil) -> [ReviewFlag] {
    var lab = InspectorLab(policy, limits: InspectorLimits(flows: 65_536))
    if let shape { lab.setShape(shape, policy) }
    let start = lab.now
    var lastTick = -1.0
    for (time, _, step) in steps.sorted(by: { ($0.time, $0.order) < ($1.time, $1.order) }) {
      lab.now = start.advanced(byNanoseconds: Int64(time * 1e9))
      if time - lastTick > 0.5 {
        lab.inspector.tick(now: lab.now, into: &lab.sink)
        lastTick = time
        lab.dropOrdinaryEvents()
      }
      run(step, &lab)
    }
    lab.now = lab.now.advanced(byNanoseconds: 300_000_000_000)
    lab.inspector.tick(now: lab.now, into: &lab.sink)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    return lab.events.compactMap { if case .alert(let flag) = $0.body { flag } else { nil } }
  }

  private func run(_ step: Step, _ lab: inout InspectorLab) {
    switch step {
    case .lookUp(let name, let address): lab.lookUp(name, address.description, ttl: 300)
    case .segment(let client, let server, let flags, let acknowledgement, let length, let bytes, let sequence):
      let packet = PacketBuilder.tcp(
        from: client, to: server, flags: flags, sequence: sequence, acknowledgement: acknowledgement, payload: bytes)
      lab.sendClaiming(packet, payload: length)
    case .datagram(let client, let server, let length, let bytes):
      var packet = PacketBuilder.udp(from: client, to: server, payload: bytes)
      let total = UInt16(8 + max(length, bytes.count))
      packet[24] = UInt8(total >> 8)
      packet[25] = UInt8(total & 255)
      lab.sendClaiming(packet, payload: max(0, length - bytes.count))
    case .echo(let address):
      lab.send(
        PacketBuilder.icmp(from: Self.agent, to: address, type: 8, payload: [UInt8](repeating: 0, count: 56)))
    }
  }
}

extension InspectorLab {
  /// Sends an IPv4 packet whose header claims so many bytes more than it holds, as a capture cuts it.
  mutating func sendClaiming(_ packet: [UInt8], payload: Int) {
    var packet = packet
    let total = packet.count + payload
    packet[2] = UInt8(total >> 8)
    packet[3] = UInt8(total & 255)
    var meta = PacketMeta(hook: hook, originalLength: total, checksumsUnreliable: true)
    meta.slot = slot
    _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
  }

  /// Gives the agent's type these thresholds.
  mutating func setShape(_ shape: ShapePolicy, _ policy: TestPolicy = TestPolicy()) {
    var parts = policy.snapshot.parts
    parts.agentTypes["research"]?.shape = shape
    inspector.replacePolicy(PolicySnapshot(parts, epoch: policy.epoch + 1))
  }

  /// Keeps flags only: a long simulation has many events.
  mutating func dropOrdinaryEvents() {
    sink.events.removeAll { if case .alert = $0.body { false } else { true } }
  }

  /// The flags, with what they say.
  var raised: [ReviewFlag] {
    events.compactMap { if case .alert(let flag) = $0.body { flag } else { nil } }
  }
}

extension TLSHelloBuilder {
  /// A hello without a server name.
  static var nameless: [UInt8] {
    var builder = TLSHelloBuilder(name: "x.example")
    builder.extensions?.removeAll { $0.0 == 0 }
    return builder.stream
  }
}
