import Testing

@testable import PacketInspect

@Suite("Corroboration of claimed names")
struct CorroborationTests {
  static let site: Endpoint = "93.184.216.10:443"

  @Test("makes a claimed name the key when a trusted resolver gave it this address")
  func trusted() throws {
    var lab = InspectorLab()
    lab.lookUp("www.good.example", "93.184.216.10")
    #expect(lab.destination?.evidence == .dnsQuery && lab.destination?.isNew == true)
    lab.connect(Self.site, sending: hello("www.good.example"))
    let tls = try #require(lab.destination)
    #expect(tls.key == "good.example" && tls.evidence == .sni && !tls.isNew && tls.isExternal)
    lab.connect("93.184.216.10:80", sending: request("WWW.Good.Example:80"))
    #expect(lab.destination?.evidence == .host && lab.destination?.key == "good.example")
    #expect(lab.destinations == ["good.example"])
    #expect(lab.flags.isEmpty)
  }

  @Test("holds for IPv6 and for the answers to another session")
  func otherSession() {
    var lab = InspectorLab()
    let asker: Endpoint = "10.99.0.1:5353"
    lab.ask("good.example", from: asker)
    lab.answer("good.example", [InspectorLab.record("good.example", "2606:2800:220:1::10")], to: asker)
    let connection = TCPClient("[2606:2800:220:1::10]:443", from: "[fd00:88::7]:40000")
    lab.open(connection)
    lab.send(connection.segment(hello("good.example")))
    #expect(lab.destination?.evidence == .sni && lab.destination?.key == "good.example")
  }

  @Test("missing, charges the address, marks the name unverified and flags it once for each address")
  func missing() {
    var lab = InspectorLab()
    for _ in 0..<3 { lab.connect(Self.site, sending: hello("good.example")) }
    #expect(lab.destinations == ["93.184.216.10"])
    #expect(lab.destination?.evidence == .sniUnverified)
    lab.connect("93.184.216.11:80", sending: request("good.example"))
    #expect(lab.destination?.evidence == .hostUnverified && lab.destination?.key == "93.184.216.11")
    #expect(lab.flags == [.nameUnverified, .nameUnverified])
  }

  @Test("makes one allowed name on fifty addresses cost fifty")
  func fifty() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    for number in 100..<150 {
      lab.connect(Endpoint(address("93.184.216.\(number)"), 443), sending: hello("good.example"))
    }
    #expect(lab.destinations.count == 51)
  }

  @Test("is nothing that an untrusted resolver can give, which is a destination itself")
  func untrusted() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10", resolver: "93.184.216.54:53")
    lab.connect(Self.site, sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sniUnverified)
    #expect(lab.destinations == ["good.example", "93.184.216.54", "93.184.216.10"])
  }

  @Test("is not given by answers that match no question: other id, port, name or resolver, or given twice")
  func mismatched() {
    var lab = InspectorLab()
    func lie(_ name: String) -> [[UInt8]] { [InspectorLab.record(name, "93.184.216.10")] }
    let asked = lab.ask("good.example", id: 7)
    lab.answer("good.example", lie("good.example"), id: 8, to: asked.client)
    lab.answer("good.example", lie("good.example"), to: Endpoint(asked.client.address, asked.client.port + 1))
    lab.answer("other.example", lie("other.example"), to: asked.client)
    lab.answer("good.example", lie("good.example"), to: asked.client, from: "93.184.216.54:53")
    lab.answer("good.example", lie("unasked.example"), to: asked.client)
    lab.answer("good.example", lie("good.example"), to: asked.client)
    for name in ["good.example", "other.example", "unasked.example"] {
      lab.connect(Self.site, sending: hello(name))
      #expect(lab.destination?.evidence == .sniUnverified, "\(name)")
    }
  }

  @Test("is not given by an answer that the agent sends itself")
  func forged() {
    var lab = InspectorLab()
    let asked = lab.ask("good.example")
    let forged = DNSBuilder(
      id: 7, flags: 0x8180, questions: [DNSBuilder.question(DNSBuilder.name("good.example"))],
      answers: [InspectorLab.record("good.example", "93.184.216.10")])
    lab.send(PacketBuilder.udp(from: asked.client, to: InspectorLab.resolver, payload: forged.bytes))
    lab.connect(Self.site, sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sniUnverified)
  }

  @Test("walks a chain of aliases, in any order, for each name on it")
  func aliases() {
    for isReversed in [false, true] {
      var lab = InspectorLab()
      let asked = lab.ask("www.good.example")
      let records = [
        InspectorLab.alias("www.good.example", "good.cdn.test"), InspectorLab.alias("good.cdn.test", "edge.host.test"),
        InspectorLab.record("edge.host.test", "93.184.216.10"),
      ]
      lab.answer("www.good.example", isReversed ? records.reversed() : records, to: asked.client)
      for name in ["www.good.example", "good.cdn.test", "edge.host.test"] {
        lab.connect(Self.site, sending: hello(name))
        #expect(lab.destination?.evidence == .sni, "\(name)")
      }
      #expect(lab.destinations == ["good.example", "cdn.test", "host.test"])
    }
  }

  @Test("does not come from records beside the chain, nor for what an alias only points at")
  func besideTheChain() {
    var lab = InspectorLab()
    let asked = lab.ask("mine.example")
    lab.answer(
      "mine.example",
      [
        InspectorLab.record("bank.example", "93.184.216.10"),
        // The owner of mine.example may say what mine.example is, not what shop.example is.
        InspectorLab.alias("mine.example", "shop.example"), InspectorLab.record("mine.example", "93.184.216.10"),
      ], to: asked.client)
    for name in ["bank.example", "shop.example"] {
      lab.connect(Self.site, sending: hello(name))
      #expect(lab.destination?.evidence == .sniUnverified, "\(name)")
    }
  }

  @Test("takes an HTTPS record's hints for the name that was asked, not for the target that its owner names")
  func hints() {
    var lab = InspectorLab()
    let asked = lab.ask("mine.example")
    let data = DNSBuilder.words([1]) + DNSBuilder.name("bank.example") + DNSBuilder.words([4, 4]) + [93, 184, 216, 10]
    lab.answer(
      "mine.example", [DNSBuilder.record(DNSBuilder.name("mine.example"), type: 65, data)], to: asked.client)
    lab.connect(Self.site, sending: hello("mine.example"))
    #expect(lab.destination?.evidence == .sni)
    lab.connect(Self.site, sending: hello("bank.example"))
    #expect(lab.destination?.evidence == .sniUnverified)
  }

  @Test("lasts for the TTL and a grace of a minute")
  func lifetime() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10", ttl: 60)
    lab.wait(seconds: 119)
    lab.connect(Self.site, sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sni)
    lab.wait(seconds: 2)
    lab.connect(Self.site, sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sniUnverified)
  }

  @Test("never makes the public name beside an encrypted hello a key, and deny-lists still see it")
  func encryptedHello() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    func withECH(_ name: String) -> [UInt8] {
      var builder = TLSHelloBuilder(name: name)
      builder.extensions?.append((0xfe0d, [UInt8](repeating: 1, count: 40)))
      return builder.stream
    }
    lab.lookUp("public.example", "93.184.216.10")
    lab.connect("93.184.216.11:443", sending: withECH("public.example"))
    #expect(lab.destination?.key == "93.184.216.11" && lab.destination?.evidence == .address)
    lab.lookUp("hidden.example", "93.184.216.12")
    lab.connect("93.184.216.12:443", sending: withECH("public.example"))
    #expect(lab.destination?.key == "hidden.example" && lab.destination?.evidence == .dnsAnswer)
    #expect(lab.connect("93.184.216.12:443", sending: withECH("a.denied.net")).reason == .deniedName)
  }

  @Test("over TCP is taken from the resolver's segments")
  func overTCP() {
    var lab = InspectorLab()
    let connection = TCPClient(InspectorLab.resolver)
    lab.open(connection)
    func framed(_ message: DNSBuilder) -> [UInt8] { PacketBuilder.be16(UInt16(message.bytes.count)) + message.bytes }
    let question = [DNSBuilder.question(DNSBuilder.name("good.example"))]
    #expect(lab.send(connection.segment(framed(DNSBuilder(id: 9, questions: question)))).action == .accept)
    let answer = DNSBuilder(
      id: 9, flags: 0x8180, questions: question, answers: [InspectorLab.record("good.example", "93.184.216.10")])
    lab.send(
      PacketBuilder.tcp(
        from: InspectorLab.resolver, to: connection.client, sequence: 9_001, acknowledgement: 1_050,
        payload: framed(answer)))
    lab.connect(Self.site, sending: hello("good.example"))
    #expect(lab.destination?.evidence == .sni)
    #expect(lab.destinations == ["good.example"])
  }

  @Test("is not asked of a Host that spells the address itself, and another address is unverified")
  func literals() {
    var lab = InspectorLab()
    lab.connect("93.184.216.10:80", sending: request("93.184.216.10"))
    #expect(lab.destination?.key == "93.184.216.10" && lab.destination?.evidence == .address)
    lab.connect("93.184.216.11:80", sending: request("93.184.216.10"))
    #expect(lab.destination?.key == "93.184.216.11" && lab.destination?.evidence == .hostUnverified)
    #expect(lab.flags == [.addressLiteral, .nameUnverified, .addressLiteral])
  }
}
