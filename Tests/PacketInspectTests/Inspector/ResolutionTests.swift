import Testing

@testable import PacketInspect

@Suite("Where a session has its names from")
struct ResolutionTests {
  @Test("is told of each claimed name")
  func resolution() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    lab.connect("93.184.216.10:443", sending: hello("good.example"))
    #expect(lab.destination?.resolution == .matched)
    lab.connect("93.184.216.11:443", sending: hello("good.example"))
    #expect(lab.destination?.resolution == .other)
    lab.connect("93.184.216.10:80", sending: request("unasked.example"))
    #expect(lab.destination?.resolution == .never)
    lab.connect("93.184.216.10:80", sending: request("93.184.216.10"))
    #expect(lab.destination?.resolution == nil)
    lab.connect("10.0.0.9:80", sending: request("good.example"))
    #expect(lab.destination?.resolution == nil)
  }

  @Test("is each session's own, and no verdict")
  func sessions() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    let other = TCPClient("93.184.216.10:443", from: "10.88.0.8:40000")
    lab.open(other)
    #expect(lab.send(other.segment(hello("good.example"))).action == .accept)
    #expect(lab.destination?.resolution == .never && lab.destination?.evidence == .sni)
  }

  @Test("is asked once for a connection that lives longer than the answer")
  func lifetime() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10", ttl: 5)
    let connection = TCPClient("93.184.216.10:80")
    lab.open(connection)
    let bytes = request("good.example")
    for index in 0..<5 {
      lab.send(connection.segment(bytes, at: UInt32(index * bytes.count)))
      #expect(lab.destination?.evidence == .host, "\(index)")
      lab.wait(seconds: 50)
    }
    lab.connect("93.184.216.10:80", sending: bytes)
    #expect(lab.destination?.evidence == .hostUnverified)
  }

  private func contact(_ lab: inout InspectorLab, _ numbers: Range<Int>) {
    for number in numbers {
      lab.connect(Endpoint(address("93.184.217.\(number)"), 443), sending: hello("dest\(number).com"))
    }
  }

  @Test("is hidden when ten names come that nobody asked for, after others were asked for")
  func stopped() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    contact(&lab, 1..<10)
    contact(&lab, 1..<10)
    #expect(!lab.flags.contains(.hiddenDNS))
    contact(&lab, 10..<11)
    #expect(lab.flags.count { $0 == .hiddenDNS } == 1)
    contact(&lab, 11..<40)
    #expect(lab.flags.count { $0 == .hiddenDNS } == 1)
  }

  @Test("is not hidden by a session that never asked, that goes on asking, or that others have asked for")
  func benign() {
    var silent = InspectorLab()
    contact(&silent, 1..<40)
    #expect(!silent.flags.contains(.hiddenDNS))
    var mixed = InspectorLab()
    for number in 1..<40 {
      mixed.lookUp("other\(number).com", "93.184.216.10")
      contact(&mixed, number..<number + 1)
    }
    #expect(!mixed.flags.contains(.hiddenDNS))
    var shared = InspectorLab()
    for number in 1..<40 {
      let asker: Endpoint = "10.88.0.8:5353"
      shared.ask("dest\(number).com", from: asker)
      let name = "dest\(number).com"
      shared.answer(name, [InspectorLab.record(name, "93.184.217.\(number)")], to: asker)
    }
    shared.lookUp("good.example", "93.184.216.10")
    contact(&shared, 1..<40)
    #expect(!shared.flags.contains(.hiddenDNS))
  }

  @Test("is not hidden by what a proxy is asked for")
  func proxy() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    for number in 1..<40 {
      let target = "dest\(number).com:443"
      lab.connect("93.184.216.20:3128", sending: request(target, target: target, method: "CONNECT"))
    }
    #expect(!lab.flags.contains(.hiddenDNS))
  }

  @Test("is hidden by a resolver over TLS or HTTPS, once for each")
  func resolvers() {
    func flags(_ server: Endpoint, _ bytes: [UInt8], _ policy: TestPolicy = TestPolicy()) -> Int {
      var lab = InspectorLab(policy)
      for _ in 0..<3 { lab.connect(server, sending: bytes) }
      return lab.flags.count { $0 == .hiddenDNS }
    }
    #expect(flags("93.184.216.53:853", hello("dns.example")) == 1)
    #expect(flags("93.184.216.99:853", TLSHelloBuilder().stream) == 1)
    #expect(flags("10.0.0.53:853", hello("dns.internal")) == 0, "the operator's own")
    let table = TestPolicy(categories: [("doh-resolver", ["dns.example"])])
    #expect(flags("93.184.216.99:443", hello("a.dns.example"), table) == 1)
    #expect(flags("93.184.216.99:443", hello("b.example"), table) == 0)
    let known = TestPolicy(publicResolvers: ["93.184.216.99"])
    #expect(flags("93.184.216.99:443", hello("b.example"), known) == 1)
    #expect(flags("93.184.216.99:8443", hello("b.example"), known) == 0)
    var offer = TLSHelloBuilder(name: "b.example")
    offer.extensions?[2] = (16, TLSHelloBuilder.vector16(TLSHelloBuilder.vector8(Array("dot".utf8))))
    #expect(flags("93.184.216.99:443", offer.stream) == 1)
  }

  @Test("is hidden by a resolver over QUIC, by its port")
  func quic() {
    var lab = QUICLab()
    lab.send(QUICInitialBuilder().packet(hello: "dns.example"), to: "93.184.216.99:853")
    let kinds = lab.sink.events.compactMap { if case .alert(let flag) = $0.body { flag.kind } else { nil } }
    #expect(kinds.contains(.hiddenDNS))
  }
}

@Suite("The memory of what was resolved")
struct ResolvedNamesTests {
  @Test("tells sessions, names and addresses apart, and forgets rather than grows")
  func memory() {
    var names = ResolvedNames(seed: 7)
    #expect(names.resolution(of: host("a.example"), address("192.0.2.1"), session: 1) == .never)
    names.noteQuestion(host("a.example"), session: 1)
    #expect(names.resolution(of: host("a.example"), address("192.0.2.1"), session: 1) == .other)
    names.noteAnswer(host("a.example"), address("192.0.2.1"), session: 1)
    #expect(names.resolution(of: host("a.example"), address("::ffff:192.0.2.1"), session: 1) == .matched)
    #expect(names.resolution(of: host("a.example"), address("192.0.2.1"), session: 2) == .never)
    #expect(names.resolution(of: host("b.example"), address("192.0.2.1"), session: 1) == .never)
    for index in 0..<400_000 { names.noteQuestion(host("n\(index).example"), session: 3) }
    #expect(names.resolution(of: host("n399999.example"), address("192.0.2.1"), session: 3) == .other)
    #expect(names.resolution(of: host("a.example"), address("192.0.2.1"), session: 1) == .never)
  }
}
