import TestSupport
import Testing

@testable import PacketInspect
@testable import nfq_egressd

/// Keeps events, and facts as well.
private struct FactCollector: EventSink {
  var events: [Event] = []
  var facts: [Fact] = []
  var wantsFacts: Bool { true }
  mutating func record(_ event: Event) { events.append(event) }
  mutating func record(_ fact: Fact) { facts.append(fact) }
}

/// Keeps events, and changes of state as the store gets them.
private struct StateCollector: EventSink {
  var events: [Event] = []
  var changes: [StateChange] = []
  var wantsState: Bool { true }
  mutating func record(_ event: Event) { events.append(event) }
  mutating func record(_ change: StateChange) { changes.append(change) }
}

@Suite("Privacy")
struct PrivacyTests {
  private static let marked = ["Marked-Secret-0001", "another marked secret", "PIN 4711 and 0815 01"]

  /// A secret as it may stand in a name: names have no case.
  private static func labels(_ secret: String) -> [String] {
    let bytes = Array(secret.utf8)
    return [TokenCorpus.hex(bytes), TokenCorpus.base32(bytes, lower: true)]
  }

  /// Everything that leaves the engine after names full of secrets: events, state for the store, destinations for the
  /// control socket. `replay` prints the same events.
  private func output(_ redaction: LabelRedaction) throws -> (text: String, labels: [String]) {
    var parts = TestPolicy(denied: ["denied.net"]).snapshot.parts
    parts.redactLabels = redaction
    var inspector = Inspector(policy: PolicySnapshot(parts, epoch: 1), domains: TinySuffixes())
    var sink = StateCollector()
    var now = Timestamp(seconds: 1_700_000_000)
    func send(_ packet: [UInt8]) {
      now = now.advanced(byNanoseconds: 1_000_000)
      _ = inspector.inspect(
        packet.rawSpan, meta: PacketMeta(hook: .forward, originalLength: packet.count), now: now, into: &sink)
    }
    let labels = Self.marked.flatMap { Self.labels($0) }
    var port: UInt16 = 40_000
    for label in labels {
      for domain in ["good.example", "denied.net"] {
        port += 1
        let name = "\(label).a.\(domain)"
        let client = Endpoint(address("10.88.0.7"), port)
        let question = DNSBuilder.question(DNSBuilder.name(name))
        send(
          PacketBuilder.udp(
            from: client, to: InspectorLab.resolver, payload: DNSBuilder(id: 7, questions: [question]).bytes))
        let records = [
          InspectorLab.alias(name, "x.\(label).cdn.example"),
          InspectorLab.record("x.\(label).cdn.example", "93.184.216.10"),
        ]
        send(
          PacketBuilder.udp(
            from: InspectorLab.resolver, to: client,
            payload: DNSBuilder(id: 7, flags: 0x8180, questions: [question], answers: records).bytes))
        for (server, bytes): (Endpoint, [UInt8]) in [
          ("93.184.216.10:443", hello(name)), ("93.184.216.10:80", request(name)),
          ("93.184.216.11:443", hello(name)), ("93.184.216.11:80", request("x", target: "http://\(name)/")),
        ] {
          port += 1
          let connection = TCPClient(server, from: Endpoint(address("10.88.0.7"), port))
          for packet in [connection.syn, connection.handshakeAck, connection.segment(bytes)] { send(packet) }
        }
      }
    }
    inspector.tick(now: now.advanced(byNanoseconds: 60_000_000_000), into: &sink)
    inspector.finish(now: now, into: &sink)
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    var text = sink.events.map { String(decoding: encoder.line($0), as: UTF8.self) }.joined()
    #expect(sink.events.count > 60 && !sink.changes.isEmpty)
    text += "\(sink.changes)"
    text += inspector.sessions[0].budget.destinations.keys.map(\.text).joined(separator: " ")
    text += "\(inspector.sessions[0].overview)"
    return (text.lowercased(), labels)
  }

  @Test("encoded labels stay out of events, state and control answers, in every encoding; and would be found there")
  func names() throws {
    let (text, labels) = try output(.encoded)
    #expect(text.contains("good.example") && text.contains("~"))
    for label in labels { #expect(!text.contains(label), "\(label)") }
    for secret in Self.marked { #expect(!text.contains(secret.lowercased())) }
    // The test is able to fail: without redaction each of them is there.
    let (open, _) = try output(.never)
    for label in labels { #expect(open.contains(label), "\(label)") }
    let (all, _) = try output(.all)
    #expect(!all.contains(".a.good.example") && all.contains("good.example"))
  }

  static let secret = "s3cr3t"

  @Test("keeps paths, queries, header values, user names and bodies out of every event, whatever the verdict")
  func secrets() throws {
    let s = Self.secret
    let streams: [String] = [
      "GET /\(s)?q=\(s)#\(s) HTTP/1.1\r\nHost: good.example\r\nCookie: \(s)\r\n\(s): \(s)\r\n\r\n",
      "POST /\(s) HTTP/1.1\r\nHost: good.example\r\nContent-Length: 6\r\n\r\n\(s)GET /\(s) HTTP/1.1\r\nHost: denied.net\r\n\r\n",
      "GET http://\(s):\(s)@good.example/\(s) HTTP/1.1\r\nHost: \(s)@good.example\r\n\r\n",
      "GET /\(s) HTTP/1.1\r\nHost: good.example/\(s)?\(s)\r\n\r\n",
      "GET /\(s) HTTP/1.1\r\nHost: denied.net\r\nAuthorization: Bearer \(s)\r\n\r\n",
      "CONNECT \(s)@denied.net:443 HTTP/1.1\r\nProxy-Authorization: \(s)\r\n\r\n",
      "EHLO \(s)\r\nAUTH PLAIN \(s)\r\n",
      "GET /\(s) HTTP/1.1\r\nX: " + String(repeating: s, count: 3_000),
    ]
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    var lines = 0
    for mode: Mode in [.enforce, .observe] {
      var lab = InspectorLab(TestPolicy(mode: mode, denied: ["denied.net"]))
      for stream in streams { lab.connect("93.184.216.10:80", sending: Array(stream.utf8)) }
      var builder = TLSHelloBuilder(name: "good.example")
      builder.sessionID = Array((s + s + s + s).utf8)
      builder.extensions?.append((0xffce, Array(s.utf8)))
      lab.connect("93.184.216.10:443", sending: builder.stream)
      lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.10:99", payload: Array(s.utf8)))
      let text = DNSBuilder.record(DNSBuilder.name("good.example"), type: 16, [UInt8(s.utf8.count)] + Array(s.utf8))
      let asked = lab.ask("good.example")
      lab.answer("good.example", [text], to: asked.client)
      lab.inspector.finish(now: lab.now, into: &lab.sink)
      for event in lab.events {
        let line = String(decoding: encoder.line(event), as: UTF8.self)
        #expect(!line.contains(s), "\(line)")
        lines += 1
      }
    }
    #expect(lines > 40)
  }

  @Test("shows request targets in facts alone, which no other sink is given")
  func facts() throws {
    var lab = InspectorLab()
    var sink = FactCollector()
    let connection = TCPClient("93.184.216.10:80")
    let bytes = request("good.example", target: "/\(Self.secret)")
    for packet in [connection.syn, connection.segment(bytes)] {
      _ = lab.inspector.inspect(
        packet.rawSpan, meta: PacketMeta(hook: .forward, originalLength: packet.count), now: lab.now, into: &sink)
    }
    let fact = try #require(sink.facts.first)
    guard case .http(let head, let target) = fact.body else { preconditionFailure("no request") }
    #expect(target == Array("/\(Self.secret)".utf8) && head.host == host("good.example"))
    #expect(!EventCollector().wantsFacts)
  }

  @Test("a name without a registrable domain is counted and stored without its encoded labels")
  func domainless() throws {
    let hash = KeyedHash(key: (1, 2))
    let label = TokenCorpus.base32(Array(Self.marked[0].utf8), lower: true)
    let key = DestinationKey(host(label), registrable: TinySuffixes(), hash: hash).text
    #expect(key.hasPrefix("base32~\(label.utf8.count)~") && !key.contains(label))
    // Equal names are one destination, others another; words stay, and so does what has a domain.
    #expect(DestinationKey(host(label), registrable: TinySuffixes(), hash: hash).text == key)
    #expect(DestinationKey(host(label + "a"), registrable: TinySuffixes(), hash: hash).text != key)
    #expect(DestinationKey(host("printer"), registrable: TinySuffixes(), hash: hash).text == "printer")
    #expect(DestinationKey(host("a.good.example"), registrable: TinySuffixes(), hash: hash).text == "good.example")
    var sink = StateCollector()
    var inspector = InspectorLab().inspector
    let question = DNSBuilder(id: 7, questions: [DNSBuilder.question(DNSBuilder.name(label))]).bytes
    let packet = PacketBuilder.udp(
      from: Endpoint(address("10.88.0.7"), 40_001), to: InspectorLab.resolver, payload: question)
    _ = inspector.inspect(
      packet.rawSpan, meta: PacketMeta(hook: .forward, originalLength: packet.count),
      now: Timestamp(seconds: 1_700_000_000), into: &sink)
    inspector.finish(now: Timestamp(seconds: 1_700_000_100), into: &sink)
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    let lines = sink.events.map { String(decoding: encoder.line($0), as: UTF8.self) }.joined()
    #expect(lines.contains("base32~") && !lines.contains(label))
    #expect("\(sink.changes)".contains("base32~") && !"\(sink.changes)".contains(label))
  }

  @Test("application protocols and methods that nobody registered are shown as class, length and hash")
  func words() throws {
    var builder = TLSHelloBuilder(name: "good.example")
    let offered = ["h2", Self.secret, "h3-29", "h3-\(Self.secret)"].flatMap { TLSHelloBuilder.vector8(Array($0.utf8)) }
    builder.extensions?[2] = (16, TLSHelloBuilder.vector16(offered))
    let request = HTTP2Builder.frame(
      1, flags: 0x05, stream: 1,
      HTTP2Builder.literal(":method", Self.secret) + [0x86, 0x84, 0x01] + HTTP2Builder.string("good.example"))
    var lab = InspectorLab()
    lab.connect("93.184.216.10:443", sending: builder.stream)
    lab.connect("93.184.216.10:80", sending: HTTP2Builder.opening + request)
    lab.connect("93.184.216.10:80", sending: Array("PROPFIND / HTTP/1.1\r\nHost: good.example\r\n\r\n".utf8))
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    let lines = lab.events.map { String(decoding: encoder.line($0), as: UTF8.self) }.joined()
    #expect(!lines.contains(Self.secret))
    #expect(lines.contains("\"client_alpns\":[\"h2\",\"plain~6~") && lines.contains("\"h3-29\",\"plain~9~"))
    #expect(lines.contains("\"http_method\":\"plain~6~") && lines.contains("\"http_method\":\"PROPFIND\""))
  }
}
