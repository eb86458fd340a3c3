import Testing

@testable import PacketInspect

@Suite("What counts as a destination")
struct ChargeTests {
  static let proxy: Endpoint = "10.1.1.1:3128"

  @Test("is not the operator's own networks, names, or trusted resolvers, whatever is sent to their DNS port")
  func internalPlaces() {
    var lab = InspectorLab()
    lab.connect("10.1.1.1:443", sending: [1, 2, 3])
    lab.ask("db.internal")
    lab.ask("7.0.88.10.in-addr.arpa")
    lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "224.0.0.251:5353", payload: [1]))
    lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: InspectorLab.resolver, payload: [1, 2]))
    lab.connect(InspectorLab.resolver, sending: [0xff, 0xff, 0xff, 0xff])
    let silent = TCPClient(InspectorLab.resolver)
    lab.open(silent)
    lab.wait(seconds: 6)
    #expect(lab.destinations.isEmpty)
    // Another service on the resolver's address is one.
    lab.connect("93.184.216.53:443", sending: [1, 2, 3])
    #expect(lab.destinations == ["93.184.216.53"])
  }

  @Test("is a registrable domain that was looked up, once however many names below it")
  func lookups() {
    var lab = InspectorLab()
    for name in ["a.good.example", "b.good.example", "good.example", "c.d.good.example"] { lab.ask(name) }
    #expect(lab.destinations == ["good.example"])
    #expect(lab.events.filter { $0.destination?.isNew == true }.count == 1)
    lab.ask("alice.github.io")
    lab.ask("bob.github.io")
    #expect(lab.destinations.count == 3)
    lab.ask("")
    #expect(lab.destinations.count == 3)
  }

  @Test("is the target behind an internal proxy, by CONNECT and by absolute form")
  func internalProxy() {
    var lab = InspectorLab()
    lab.connect(Self.proxy, sending: Array("CONNECT one.example:443 HTTP/1.1\r\nHost: one.example\r\n\r\n".utf8))
    #expect(lab.destination?.key == "one.example" && lab.destination?.evidence == .hostUnverified)
    lab.connect(Self.proxy, sending: Array("GET http://two.example/x HTTP/1.1\r\nHost: two.example\r\n\r\n".utf8))
    lab.connect(Self.proxy, sending: Array("CONNECT 93.184.216.200:443 HTTP/1.1\r\n\r\n".utf8))
    #expect(lab.destinations == ["one.example", "two.example", "93.184.216.200"])
    lab.connect(Self.proxy, sending: Array("CONNECT db.internal:443 HTTP/1.1\r\n\r\n".utf8))
    #expect(lab.destinations.count == 3)
  }

  @Test("is both a proxy outside and the target behind it, and the proxy by its looked-up name")
  func externalProxy() {
    var lab = InspectorLab()
    lab.lookUp("proxy.example", "93.184.216.20")
    lab.connect(
      "93.184.216.20:3128", sending: Array("CONNECT one.example:443 HTTP/1.1\r\nHost: one.example\r\n\r\n".utf8))
    #expect(lab.destinations == ["proxy.example", "one.example"])
    lab.connect("93.184.216.21:3128", sending: Array("CONNECT one.example:443 HTTP/1.1\r\n\r\n".utf8))
    #expect(lab.destinations == ["proxy.example", "one.example", "93.184.216.21"])
  }

  @Test("is what speaks inside a tunnel as well, and a denied name there is refused")
  func insideTunnel() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    for name in ["two.example", "denied.net"] {
      let connection = TCPClient(Self.proxy, from: lab.freshEndpoint())
      lab.open(connection)
      let head = Array("CONNECT one.example:443 HTTP/1.1\r\n\r\n".utf8)
      lab.send(connection.segment(head))
      lab.send(connection.answered(at: UInt32(head.count)))
      let verdict = lab.send(connection.segment(hello(name), at: UInt32(head.count)))
      #expect(verdict.action == (name == "denied.net" ? .reject : .accept))
    }
    let inner = lab.events.filter { if case .tls = $0.body { true } else { false } }
    #expect(inner.map { $0.destination?.evidence } == [.sniUnverified, nil])
    #expect(lab.destinations == ["one.example", "two.example"])
  }

  @Test("is the address of UDP and ICMP at the first packet, IPv6 by /64")
  func datagrams() {
    var lab = InspectorLab()
    lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.30:9999", payload: [1]))
    #expect(lab.destinations == ["93.184.216.30"])
    lab.send(PacketBuilder.icmp(from: address("10.88.0.7"), to: address("93.184.216.31"), type: 8))
    let six = address("fd00:88::7")
    for text in ["2606:2800:220:1::1", "2606:2800:220:1:9999::2", "2606:2800:220:2::1"] {
      lab.send(PacketBuilder.icmp(from: six, to: address(text), type: 128))
    }
    lab.send(PacketBuilder.udp(from: Endpoint(six, 1), to: "[64:ff9b::5db8:d81e]:9999", payload: [1]))
    lab.send(PacketBuilder.ip(from: address("10.88.0.7"), to: address("93.184.216.32"), IPProtocol(rawValue: 47), [1]))
    #expect(
      lab.destinations == [
        "93.184.216.30", "93.184.216.31", "93.184.216.32", "2606:2800:220:1::/64", "2606:2800:220:2::/64",
      ])
  }

  @Test("is a resolver that nobody trusts, even when the question itself was refused")
  func untrustedResolver() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    lab.ask("good.example", to: "93.184.216.54:53")
    #expect(lab.destinations == ["good.example", "93.184.216.54"])
    let client = lab.freshEndpoint()
    #expect(lab.ask("denied.net", from: client, to: "93.184.216.55:53").verdict.action == .reject)
    lab.send(PacketBuilder.udp(from: client, to: "93.184.216.55:53", payload: [9, 9, 9]))
    #expect(lab.destinations.contains("93.184.216.55"))
  }

  @Test("is a nameless TCP flow's address at its first payload, after five seconds, or at its end")
  func nameless() {
    var lab = InspectorLab()
    lab.connect("93.184.216.40:22", sending: Array("SSH-2.0-x\r\n".utf8))
    #expect(lab.destinations == ["93.184.216.40"])
    let silent = TCPClient("93.184.216.41:22", from: lab.freshEndpoint())
    lab.open(silent)
    lab.wait(seconds: 4.9)
    #expect(!lab.destinations.contains("93.184.216.41"))
    lab.wait(seconds: 0.2)
    #expect(lab.destinations.contains("93.184.216.41"))
    let short = TCPClient("93.184.216.42:22", from: lab.freshEndpoint())
    lab.open(short)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(lab.destinations.contains("93.184.216.42"))
    #expect(lab.events.allSatisfy { $0.destination?.evidence ?? .address == .address })
  }

  @Test(
    "is not what is left of a connection whose start was not seen, until it sends payload or many packets",
    arguments: [TCPFlags.ack, .rst, [.fin, .ack]])
  func remnant(flags: TCPFlags) {
    var lab = InspectorLab()
    let old = TCPClient("93.184.216.41:443", from: lab.freshEndpoint())
    for _ in 0..<7 { lab.send(old.segment([], flags: flags)) }
    lab.wait(seconds: 6)
    let another = TCPClient("93.184.216.42:443", from: lab.freshEndpoint())
    lab.send(another.segment([], flags: flags))
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(lab.destinations.isEmpty)

    let speaking = TCPClient("93.184.216.43:443", from: lab.freshEndpoint())
    lab.send(speaking.segment([], flags: .ack))
    lab.send(speaking.segment([0x17, 3, 3, 0, 1, 9], flags: .ack))
    #expect(lab.destinations == ["93.184.216.43"])
    // The client's side of a download.
    let taking = TCPClient("93.184.216.44:443", from: lab.freshEndpoint())
    for number in 0..<8 { lab.send(taking.segment([], at: UInt32(number), flags: .ack)) }
    lab.wait(seconds: 6)
    #expect(lab.destinations == ["93.184.216.43", "93.184.216.44"])
  }

  @Test("is a nameless flow's looked-up name, when its session got the address for it")
  func namelessLookedUp() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.40")
    lab.connect("93.184.216.40:22", sending: Array("SSH-2.0-x\r\n".utf8))
    #expect(lab.destinations == ["good.example"])
    #expect(lab.inspector.sessions[0].budget.destinations[.domain("good.example")]?.contacts == 2)
  }

  @Test("is the name alone when it comes after the flow was charged as nameless")
  func lateName() {
    var lab = InspectorLab()
    let connection = TCPClient("93.184.216.43:443")
    lab.open(connection)
    lab.wait(seconds: 6)
    #expect(lab.destinations == ["93.184.216.43"])
    lab.lookUp("good.example", "93.184.216.43")
    lab.send(connection.segment(hello("good.example")))
    #expect(lab.destinations == ["good.example"])
    // What another flow was charged with is not taken back.
    let one = TCPClient("93.184.216.44:443", from: lab.freshEndpoint())
    let two = TCPClient("93.184.216.44:443", from: lab.freshEndpoint())
    lab.open(one)
    lab.open(two)
    lab.wait(seconds: 6)
    lab.lookUp("fine.example", "93.184.216.44")
    lab.send(one.segment(hello("fine.example")))
    #expect(lab.destinations.contains("93.184.216.44"))
  }
}

@Suite("Budget on the packet path")
struct BudgetPathTests {
  private func held(_ ceiling: Int) -> InspectorLab {
    InspectorLab(TestPolicy(budget: BudgetPolicy(destinations: ceiling, onReach: .hold, warnAt: 0.5)))
  }

  @Test("holds new destinations of every kind while those contacted go on, with one flag")
  func hold() {
    var lab = held(2)
    lab.lookUp("one.example", "93.184.216.10")
    lab.lookUp("two.example", "93.184.216.11")
    #expect(lab.flags == [.budgetWarning, .budgetReached])
    #expect(lab.ask("three.example").verdict == Verdict(.reject, .budgetHeld, scope: .packet))
    #expect(
      lab.connect("93.184.216.12:443", sending: hello("three.example")) == Verdict(.reject, .budgetHeld, scope: .flow))
    #expect(lab.connect("93.184.216.12:80", sending: request("three.example")).reason == .budgetHeld)
    #expect(lab.connect("93.184.216.12:22", sending: [1, 2, 3]).reason == .budgetHeld)
    #expect(
      lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.13:1", payload: [1])).reason == .budgetHeld)
    #expect(
      lab.send(PacketBuilder.icmp(from: address("10.88.0.7"), to: address("93.184.216.14"), type: 8)).reason
        == .budgetHeld)
    #expect(lab.connect("93.184.216.10:443", sending: hello("one.example")).action == .accept)
    #expect(lab.connect("93.184.216.11:22", sending: [1, 2, 3]).action == .accept)
    #expect(lab.ask("www.two.example").verdict.action == .accept)
    #expect(lab.connect("10.1.1.1:80", sending: request("wiki.internal")).action == .accept)
    #expect(lab.flags == [.budgetWarning, .budgetReached])
    #expect(lab.destinations.count == 2)
  }

  @Test("is not spent by sending something else after a question to a held resolver")
  func heldResolver() {
    var lab = held(1)
    lab.ask("one.example")
    let client = lab.freshEndpoint()
    #expect(lab.ask("one.example", from: client, to: "93.184.216.54:53").verdict.reason == .budgetHeld)
    for _ in 0..<10 {
      #expect(lab.send(PacketBuilder.udp(from: client, to: "93.184.216.54:53", payload: [5, 5])).action == .reject)
    }
  }

  @Test("holds a silent connection after its five seconds")
  func silent() {
    var lab = held(1)
    lab.ask("one.example")
    let connection = TCPClient("93.184.216.20:22")
    lab.open(connection)
    lab.wait(seconds: 6)
    #expect(lab.send(connection.segment([1])) == Verdict(.reject, .budgetHeld, scope: .flow))
  }

  @Test("holds what an exception policy let through without a name")
  func heldThoughIncomplete() {
    var exceptions = ExceptionPolicy()
    exceptions.helloIncomplete = .accept
    var lab = InspectorLab(
      TestPolicy(budget: BudgetPolicy(destinations: 0, onReach: .hold), exceptions: exceptions))
    let text = Array("GET / HTTP/1.1\r\nX: ".utf8) + [UInt8](repeating: 0x61, count: 17_000)
    #expect(lab.connect("93.184.216.20:80", sending: text).reason == .budgetHeld)
  }

  @Test("gives the place of a nameless charge to the name that came late")
  func lateName() {
    var lab = held(2)
    lab.lookUp("one.example", "93.184.216.10")
    let connection = TCPClient("93.184.216.11:443")
    lab.open(connection)
    lab.wait(seconds: 6)
    #expect(lab.destinations.count == 2)
    lab.lookUp("one.example", "93.184.216.11")
    #expect(lab.send(connection.segment(hello("one.example"))).action == .accept)
    #expect(lab.destinations == ["one.example"])
    #expect(lab.ask("two.example").verdict.action == .accept)
  }

  @Test("remembers no more than its cap, however many names are asked for")
  func cap() {
    var lab = InspectorLab(TestPolicy(), limits: InspectorLimits(flows: 4_096, namesPerSession: 100))
    let client = lab.freshEndpoint()
    for number in 0..<1_000 { lab.ask("n\(number).example", from: client) }
    for number in 0..<1_000 { lab.ask("x.n\(number)", from: client) }
    #expect(lab.destinations.count == 100)
  }
}
