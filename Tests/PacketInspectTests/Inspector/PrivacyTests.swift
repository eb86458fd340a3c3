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

@Suite("Privacy")
struct PrivacyTests {
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
}
