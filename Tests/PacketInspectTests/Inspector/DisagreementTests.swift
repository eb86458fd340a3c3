import Testing

@testable import PacketInspect

@Suite("Claims that contradict each other")
struct DisagreementTests {
  private static let site: Endpoint = "93.184.216.10:80"
  private static let proxy: Endpoint = "93.184.216.20:3128"

  private func flags(_ bytes: [UInt8]) -> [FlagKind] {
    var lab = InspectorLab()
    lab.lookUp("one.example", "93.184.216.10")
    #expect(lab.connect(Self.site, sending: bytes).action == .accept)
    return lab.flags.filter { $0 != .nameUnverified }
  }

  @Test("in one request are flagged once a session")
  func hosts() {
    #expect(flags(request("one.example")).isEmpty)
    #expect(flags(request("one.example", target: "http://one.example:80/")).isEmpty)
    #expect(flags(request("two.example", target: "http://one.example/")) == [.hostDisagreement])
    #expect(flags(request("one.example", more: "Host: two.example\r\n")) == [.hostDisagreement])
    #expect(flags(HTTP2Builder.opening + HTTP2Builder.get("one.example")).isEmpty)
    let double = HTTP2Builder.get("one.example", more: HTTP2Builder.literal("host", "two.example"))
    #expect(flags(HTTP2Builder.opening + double) == [.hostDisagreement])
    let same = HTTP2Builder.get("one.example", more: HTTP2Builder.literal("host", "one.example"))
    #expect(flags(HTTP2Builder.opening + same).isEmpty)
    var lab = InspectorLab()
    for _ in 0..<3 { lab.connect(Self.site, sending: request("two.example", target: "http://one.example/")) }
    #expect(lab.flags.count { $0 == .hostDisagreement } == 1)
  }

  @Test(
    "about the end of a request are smuggling",
    arguments: [
      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n",
      "Content-Length: 4, 5\r\n", "Content-Length: +4\r\n", "Transfer-Encoding: chunked, identity\r\n",
      "Transfer-Encoding:\r\n chunked\r\n", "Accept: a\r\n b\r\n", "Accept: a\nTransfer-Encoding: chunked\r\n",
    ])
  func smuggling(fields: String) {
    #expect(flags(request("one.example", method: "POST", more: fields)) == [.smuggling], "\(fields)")
  }

  @Test("are not what plain clients send")
  func plain() {
    #expect(flags(Array("GET / HTTP/1.0\nHost: one.example\n\n".utf8)).isEmpty)
    #expect(flags(request("one.example", method: "POST", more: "Content-Length: 0\r\nContent-Length: 0\r\n")).isEmpty)
    #expect(flags(request("one.example", method: "POST", more: "Transfer-Encoding: gzip, chunked\r\n")).isEmpty)
  }

  private func inTunnel(_ target: String, _ bytes: [UInt8]) -> [FlagKind] {
    var lab = InspectorLab()
    let connection = TCPClient(Self.proxy, from: lab.freshEndpoint())
    lab.open(connection)
    let head = request("\(target):443", target: "\(target):443", method: "CONNECT")
    lab.send(connection.segment(head))
    lab.send(connection.answered(at: UInt32(head.count)))
    lab.send(connection.segment(bytes, at: UInt32(head.count)))
    return lab.flags.filter { $0 == .fronting }
  }

  @Test("between a tunnel's target and the name inside are fronting")
  func fronting() {
    #expect(inTunnel("cdn.example", hello("hidden.test")) == [.fronting])
    #expect(inTunnel("cdn.example", request("hidden.test")) == [.fronting])
    #expect(inTunnel("alice.github.io", hello("bob.github.io")) == [.fronting])
    #expect(inTunnel("cdn.example", hello("cdn.example")).isEmpty)
    #expect(inTunnel("www.cdn.example", request("cdn.example")).isEmpty)
    #expect(inTunnel("93.184.216.10", hello("hidden.test")).isEmpty, "the client has looked it up itself")
    var hidden = TLSHelloBuilder(name: "public.example")
    hidden.extensions?.append((0xfe0d, [UInt8](repeating: 1, count: 40)))
    #expect(inTunnel("cdn.example", hidden.stream).isEmpty, "a public name is meant to differ")
  }

  @Test("do not outlive their connection")
  func reuse() {
    var lab = InspectorLab()
    let connection = TCPClient(Self.proxy)
    lab.open(connection)
    lab.send(connection.segment(request("a.example", target: "cdn.example:443", method: "CONNECT")))
    lab.send(connection.segment([], at: 200, flags: .rst))
    lab.wait(seconds: 60)
    lab.connect(Self.site, sending: request("one.example"))
    #expect(!lab.flags.contains(.fronting))
  }

  @Test("apart, an upgrade to WebSocket is recognised")
  func webSocket() {
    func asks(_ bytes: [UInt8]) -> Bool {
      var lab = InspectorLab()
      lab.connect(Self.site, sending: bytes)
      return lab.events.contains { if case .http(let head) = $0.body { head.asksWebSocket } else { false } }
    }
    #expect(asks(request("one.example", more: "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n")))
    #expect(!asks(request("one.example", more: "Connection: Upgrade\r\nUpgrade: h2c\r\n")))
    #expect(!asks(request("one.example", more: "Upgrade: websocket\r\n")))
    let extended =
      [0x86, 0x84] + HTTP2Builder.literal(":method", "CONNECT") + HTTP2Builder.literal(":protocol", "websocket")
      + HTTP2Builder.literal(":authority", "one.example")
    #expect(asks(HTTP2Builder.opening + HTTP2Builder.frame(1, flags: 4, stream: 1, extended)))
  }
}
