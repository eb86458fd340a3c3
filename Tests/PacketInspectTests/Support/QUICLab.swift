@testable import PacketInspect
@testable import nfq_egressd

/// An inspector that reads QUIC, one agent (10.88.0.7), a clock and a trusted resolver (93.184.216.53).
struct QUICLab {
  struct Suffixes: RegistrableDomains, Sendable {
    func registrableLength(of name: HostName) -> Int {
      name.text.split(separator: ".").suffix(2).joined(separator: ".").utf8.count
    }
  }

  struct Sink: EventSink {
    var events: [Event] = []
    mutating func record(_ event: Event) { events.append(event) }
  }

  static let server: Endpoint = "93.184.216.10:443"
  var inspector: Inspector<Suffixes>
  var sink = Sink()
  var now = Timestamp(seconds: 1_700_000_000)
  var hook = Hook.forward
  var client: Endpoint = "10.88.0.7:40000"

  init(_ change: (inout PolicySnapshot.Parts) -> Void = { _ in }) {
    inspector = Inspector(
      policy: Self.policy(epoch: 1, change), domains: Suffixes(), quicCryptography: QUICInitialBuilder.cryptography())
  }

  /// Enforcing; denied.net and 93.184.216.66 are on a list.
  static func policy(epoch: UInt32, _ change: (inout PolicySnapshot.Parts) -> Void = { _ in }) -> PolicySnapshot {
    var parts = PolicySnapshot.Parts()
    parts.lists = [DenyList(name: "bad", action: .reject, entries: listed(["denied.net", "93.184.216.66/32"]))]
    if let resolver = IPAddress("93.184.216.53") { parts.trustedResolvers = [resolver] }
    change(&parts)
    return PolicySnapshot(parts, epoch: epoch)
  }

  /// Sends a datagram from the agent.
  @discardableResult
  mutating func send(_ payload: [UInt8], to server: Endpoint = Self.server) -> Verdict {
    let packet = PacketBuilder.udp(from: client, to: server, payload: payload)
    let meta = PacketMeta(hook: hook, originalLength: packet.count)
    return inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink).verdict
  }

  /// Asks the resolver, which answers with an address.
  mutating func resolve(_ name: String, _ address: String = "93.184.216.10") {
    let asker: Endpoint = "10.88.0.7:39000"
    let resolver: Endpoint = "93.184.216.53:53"
    let question = DNSBuilder.question(DNSBuilder.name(name))
    let query = PacketBuilder.udp(from: asker, to: resolver, payload: DNSBuilder(questions: [question]).bytes)
    let parts = address.split(separator: ".").compactMap { UInt8($0) }
    let answer = DNSBuilder(
      flags: 0x8180, questions: [question], answers: [DNSBuilder.record(DNSBuilder.pointer(12), type: 1, parts)])
    let reply = PacketBuilder.udp(from: resolver, to: asker, payload: answer.bytes)
    for packet in [query, reply] {
      _ = inspector.inspect(
        packet.rawSpan, meta: PacketMeta(hook: .forward, originalLength: packet.count), now: now, into: &sink)
    }
  }

  mutating func wait(seconds: Int64) {
    now = now.advanced(byNanoseconds: seconds * 1_000_000_000)
    inspector.tick(now: now, into: &sink)
  }

  /// The QUIC events: version, name and destination.
  var quicEvents: [(version: UInt32, name: String?, destination: EventDestination?)] {
    sink.events.compactMap {
      guard case .quic(let version, let hello) = $0.body else { return nil }
      return (version, hello?.serverName?.text, $0.destination)
    }
  }
  var names: [String?] { quicEvents.map(\.name) }
  var flags: [FlagKind] {
    sink.events.compactMap { if case .alert(let flag) = $0.body { flag.kind } else { nil } }
  }
  /// What the agent's session was charged.
  var destinations: Set<String> {
    Set(sink.events.compactMap { $0.destination?.isNew == true ? $0.destination?.key : nil })
  }
}
