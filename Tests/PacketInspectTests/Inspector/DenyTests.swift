import Testing

@testable import PacketInspect

@Suite("Deny-lists on the packet path")
struct DenyTests {
  static let site: Endpoint = "93.184.216.10:443"
  static let web: Endpoint = "93.184.216.10:80"

  @Test("reject a denied SNI for the whole flow, with list, entry and line in the event")
  func sni() throws {
    var lab = InspectorLab(TestPolicy(denied: ["other.example", "denied.net"]))
    let connection = TCPClient(Self.site)
    #expect(lab.open(connection).action == .accept)
    let verdict = lab.send(connection.segment(hello("sub.denied.net")))
    #expect(verdict == Verdict(.reject, .deniedName, scope: .flow))
    #expect(lab.send(connection.segment([1, 2, 3], at: 900)) == Verdict(.reject, .deniedName, scope: .flow))
    let drops = lab.events.filter { if case .drop = $0.body { true } else { false } }
    #expect(drops.count == 1)
    let list = try #require(drops.first?.verdict?.list)
    #expect(list.list == "bad" && list.entry == "denied.net" && list.line == 2)
    #expect(lab.flags == [.denyHit])
    #expect(lab.destinations.isEmpty)
  }

  @Test("reject a denied question by itself: its socket's other questions go on")
  func question() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    let client = lab.freshEndpoint()
    #expect(lab.ask("good.example", id: 1, from: client).verdict.action == .accept)
    #expect(lab.ask("a.denied.net", id: 2, from: client).verdict == Verdict(.reject, .deniedName, scope: .packet))
    #expect(lab.ask("fine.example", id: 3, from: client).verdict == Verdict(.accept, .allowed, scope: .packet))
    #expect(lab.ask("DENIED.net", id: 4, from: client).verdict.action == .reject)
    #expect(lab.flags == [.denyHit])
    #expect(lab.destinations == ["good.example", "fine.example"])
  }

  @Test("reject the second of two questions in one message, and a question over TCP")
  func moreQuestions() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    let names = ["good.example", "denied.net"].map { DNSBuilder.question(DNSBuilder.name($0)) }
    let both = DNSBuilder(id: 3, questions: names).bytes
    #expect(
      lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: InspectorLab.resolver, payload: both)).action == .reject
    )
    let one = DNSBuilder(id: 3, questions: [names[1]]).bytes
    let framed = PacketBuilder.be16(UInt16(one.count)) + one
    #expect(lab.connect(InspectorLab.resolver, sending: framed) == Verdict(.reject, .deniedName, scope: .flow))
  }

  @Test("reject a denied Host on a later request, pipelined or not")
  func laterRequest() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    let connection = TCPClient(Self.web)
    lab.open(connection)
    let first = request("good.example")
    let both = first + request("denied.net")
    #expect(lab.send(connection.segment(both)) == Verdict(.reject, .deniedName, scope: .flow))

    let other = TCPClient(Self.web, from: lab.freshEndpoint())
    lab.open(other)
    #expect(lab.send(other.segment(first)).action == .accept)
    #expect(lab.send(other.answered(at: UInt32(first.count))).action == .accept)
    #expect(lab.send(other.segment(request("denied.net"), at: UInt32(first.count))).action == .reject)
  }

  @Test("reject a denied Host after a body of known length, of chunks, and one that looks like a request")
  func afterBodies() {
    let bodies = [
      request("good.example", method: "POST", more: "Content-Length: 5\r\n") + Array("GET /".utf8),
      request("good.example", method: "POST", more: "Transfer-Encoding: chunked\r\n")
        + Array("5;x=y\r\nGET /\r\n0\r\n\r\n".utf8),
    ]
    for body in bodies {
      for size in [1, 7, 10_000] {
        var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
        let connection = TCPClient(Self.web)
        lab.open(connection)
        let all = body + request("denied.net")
        var last = Verdict(.accept, .allowed)
        for start in stride(from: 0, to: all.count, by: size) {
          #expect(last.action == .accept)
          last = lab.send(connection.segment(Array(all[start..<min(start + size, all.count)]), at: UInt32(start)))
        }
        #expect(last == Verdict(.reject, .deniedName, scope: .flow))
      }
    }
  }

  @Test(
    "judge every host that a request names, since servers differ in which one they obey",
    arguments: [
      "GET http://good.example/ HTTP/1.1\r\nHost: denied.net\r\n\r\n",
      "GET http://denied.net/ HTTP/1.1\r\nHost: good.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: good.example\r\nHost: denied.net\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: denied.net\r\nHost: good.example\r\n\r\n",
      "CONNECT denied.net:443 HTTP/1.1\r\nHost: good.example\r\n\r\n",
      "CONNECT good.example:443 HTTP/1.1\r\nHost: denied.net\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: 93.184.216.99\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: user@DENIED.net.:8080\r\n\r\n",
    ])
  func everyHost(text: String) {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net", "93.184.216.99"]))
    #expect(lab.connect(Self.web, sending: Array(text.utf8)).action == .reject)
  }

  @Test("reject a denied address at the SYN, at the datagram, at the echo request and at the question")
  func address() {
    var lab = InspectorLab(TestPolicy(denied: ["93.184.216.32/29", "2606:2800:bad::/48"]))
    let denied: Endpoint = "93.184.216.35:443"
    #expect(lab.send(TCPClient(denied).syn) == Verdict(.reject, .deniedAddress, scope: .flow))
    #expect(lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: denied, payload: [1])).reason == .deniedAddress)
    #expect(
      lab.send(PacketBuilder.icmp(from: lab.freshEndpoint().address, to: denied.address, type: 8)).reason
        == .deniedAddress)
    #expect(lab.ask("good.example", to: "93.184.216.35:53").verdict.reason == .deniedAddress)
    let six = TCPClient("[2606:2800:bad::1]:443", from: "[fd00:88::7]:40000")
    #expect(lab.send(six.syn).reason == .deniedAddress)
    #expect(lab.send(TCPClient("93.184.216.40:443").syn).action == .accept)
  }

  @Test("go on rejecting a denied address after a question to it was rejected")
  func questionOpensNothing() {
    var lab = InspectorLab(TestPolicy(denied: ["93.184.216.35"]))
    for server: Endpoint in ["93.184.216.35:53", "93.184.216.35:5300"] {
      let client = lab.freshEndpoint()
      #expect(lab.ask("good.example", from: client, to: server).verdict.action == .reject)
      for number: UInt8 in 0..<20 {
        #expect(lab.send(PacketBuilder.udp(from: client, to: server, payload: [number, 1, 2])).action == .reject)
      }
    }
  }

  @Test("give way to exceptions, by name and by address")
  func exceptions() {
    var lab = InspectorLab(
      TestPolicy(denied: ["denied.net", "93.184.216.0/24"], excepted: ["ok.denied.net", "93.184.216.10"]))
    #expect(lab.connect(Self.site, sending: hello("ok.denied.net")).action == .accept)
    #expect(lab.connect(Self.site, sending: hello("no.denied.net")).action == .reject)
    #expect(lab.connect("93.184.216.11:443", sending: hello("ok.denied.net")).action == .reject)
  }

  @Test("let an excepted name through to a denied address that a trusted answer gave it, and no other name")
  func exceptedNameOnDeniedAddress() {
    var lab = InspectorLab(TestPolicy(denied: ["93.184.216.0/27"], excepted: ["ok.example"]))
    lab.lookUp("ok.example", "93.184.216.10")
    #expect(lab.connect(Self.site, sending: hello("ok.example")).action == .accept)
    #expect(lab.connect(Self.site, sending: hello("other.example")).reason == .deniedAddress)
    #expect(lab.connect("93.184.216.11:443", sending: hello("ok.example")).reason == .deniedAddress)
  }

  @Test("accept everything in observe mode, and say what enforcement would have done")
  func observe() {
    var lab = InspectorLab(
      TestPolicy(
        mode: .observe, denied: ["denied.net", "93.184.216.35"], budget: BudgetPolicy(destinations: 1, onReach: .hold)))
    #expect(lab.connect(Self.site, sending: hello("denied.net")).action == .accept)
    #expect(lab.connect("93.184.216.35:443", sending: hello("good.example")).action == .accept)
    #expect(lab.ask("denied.net").verdict.action == .accept)
    #expect(lab.ask("one.example").verdict.action == .accept)
    #expect(lab.ask("two.example").verdict.action == .accept)
    let junk = TCPClient("93.184.216.12:25")
    lab.open(junk)
    #expect(lab.send(junk.segment(Array("EHLO there\r\n".utf8))).action == .accept)
    #expect(lab.send(junk.segment(Array("EHLO again\r\n".utf8), at: 12)).action == .accept)
    let refused = lab.events.filter { $0.verdict?.would == .reject }
    #expect(Set(refused.compactMap { $0.verdict?.reason }) == [.deniedName, .deniedAddress, .budgetHeld])
    #expect(refused.allSatisfy { $0.verdict?.action == .accept })
    // The hello behind a denied address is still read and told.
    #expect(
      lab.events.contains {
        if case .tls(let hello) = $0.body { hello.serverName == host("good.example") } else { false }
      })
  }

  @Test("raise one flag for a retry loop, and one more for another entry")
  func retryLoop() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net", "worse.example"]))
    for _ in 0..<10 { lab.connect(Self.site, sending: hello("denied.net")) }
    lab.connect(Self.site, sending: hello("worse.example"))
    #expect(lab.flags == [.denyHit, .denyHit])
  }

  @Test("judge a TLS name behind a port that usually carries DNS")
  func portOfAnother() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    #expect(lab.connect("93.184.216.10:53", sending: hello("denied.net")).reason == .deniedName)
    #expect(lab.connect("93.184.216.10:53", sending: request("denied.net")).reason == .deniedName)
    #expect(lab.connect("93.184.216.10:22", sending: hello("denied.net")).reason == .deniedName)
  }
}
