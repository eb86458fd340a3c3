import Testing

@testable import PacketInspect

@Suite("Flows over time")
struct LifecycleTests {
  static let site: Endpoint = "93.184.216.10:443"

  @Test("are judged again by name at the next packet after a policy change, and cost nothing more")
  func policyChange() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10", ttl: 1)
    lab.lookUp("soon.example", "93.184.216.11", ttl: 1)
    var connections: [TCPClient] = []
    for (name, server) in [("good.example", Self.site), ("soon.example", "93.184.216.11:443")] {
      let connection = TCPClient(server, from: lab.freshEndpoint())
      lab.open(connection)
      lab.send(connection.segment(hello(name)))
      lab.send(connection.answered(at: UInt32(hello(name).count)))
      connections.append(connection)
    }
    let before = lab.destinations
    // The answers are over by now: a renewed judgement must not charge the addresses for that.
    lab.wait(seconds: 600)
    lab.inspector.replacePolicy(TestPolicy(denied: ["soon.example"], epoch: 2).snapshot)
    #expect(lab.send(connections[0].segment([23, 3, 3], at: 600)).action == .accept)
    #expect(lab.send(connections[1].segment([23, 3, 3], at: 600)) == Verdict(.reject, .deniedName, scope: .flow))
    #expect(lab.destinations == before)
    lab.inspector.replacePolicy(TestPolicy(epoch: 3).snapshot)
    #expect(lab.send(connections[1].segment([23, 3, 3], at: 600)).action == .accept)
  }

  @Test("are judged again after a policy change though they wait, are searched, or speak UDP")
  func policyChangeUndecided() {
    var lab = InspectorLab()
    let settled = TCPClient("93.184.216.20:443", from: lab.freshEndpoint())
    lab.open(settled)
    lab.send(settled.segment(hello("good.example")))
    let searched = TCPClient("93.184.216.21:22", from: lab.freshEndpoint())
    lab.open(searched)
    lab.send(searched.segment(Array("SSH-2.0-x\r\n".utf8)))
    let silent = TCPClient("93.184.216.22:22", from: lab.freshEndpoint())
    lab.open(silent)
    let web = TCPClient("93.184.216.23:80", from: lab.freshEndpoint())
    lab.open(web)
    let head = request("good.example", method: "POST", more: "Content-Length: 100000\r\n")
    lab.send(web.segment(head))
    let client = lab.freshEndpoint()
    let datagram = PacketBuilder.udp(from: client, to: "93.184.216.24:9", payload: [1])
    lab.send(datagram)
    lab.inspector.replacePolicy(TestPolicy(denied: ["93.184.216.16/28"], epoch: 2).snapshot)
    #expect(lab.send(settled.segment([23, 3, 3], at: UInt32(hello("good.example").count))).reason == .deniedAddress)
    #expect(lab.send(searched.segment([1, 2, 3], at: 11)).reason == .deniedAddress)
    #expect(lab.send(silent.segment([1, 2, 3])).reason == .deniedAddress)
    #expect(lab.send(web.segment([1, 2, 3], at: UInt32(head.count))).reason == .deniedAddress)
    #expect(lab.send(datagram).reason == .deniedAddress)
  }

  @Test("begin afresh when their ports are used again")
  func portReuse() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    var connection = TCPClient(Self.site)
    lab.open(connection)
    #expect(lab.send(connection.segment(hello("denied.net"))).action == .reject)
    #expect(lab.send(connection.syn).action == .reject)
    connection.first = 0x5000_0000
    #expect(lab.open(connection).action == .accept)
    #expect(lab.send(connection.segment(hello("good.example"))).action == .accept)
    let ids = lab.events.compactMap { event in if case .tls = event.body { event.flow?.id } else { nil } }
    #expect(Set(ids).count == 2)
    #expect(lab.inspector.flowCount == 1)
    // A SYN sent again is no new connection.
    lab.send(connection.syn)
    #expect(lab.inspector.counters.flows == 2)
  }

  @Test("go on when a client resets the server's older connection from its port and asks again")
  func challenged() {
    for name in ["good.example", "denied.net"] {
      var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
      lab.lookUp("good.example", "93.184.216.10")
      let connection = TCPClient(Self.site)
      // What came back acknowledged the older connection.
      lab.send(connection.syn)
      lab.send(connection.segment([], at: 0x1000_0000, flags: .rst))
      #expect(lab.open(connection).action == .accept)
      lab.wait(seconds: 4)
      #expect(lab.send(connection.segment(hello(name))).action == (name == "denied.net" ? .reject : .accept))
      #expect(lab.events.count { if case .tls = $0.body { true } else { false } } == 1)
      #expect(!lab.flags.contains(.evasion))
      // The first attempt was not over, and costs no destination.
      #expect(lab.destinations == ["good.example"])
    }
  }

  @Test("are forgotten soon after they closed, later when they are open, with one flow event each")
  func closing() {
    var lab = InspectorLab()
    for flags: TCPFlags in [[.fin, .ack], .rst] {
      let connection = TCPClient(Self.site, from: lab.freshEndpoint())
      lab.open(connection)
      lab.send(connection.segment(hello("good.example")))
      lab.send(connection.answered(at: UInt32(hello("good.example").count)))
      lab.send(connection.segment([], at: 800, flags: flags))
    }
    let open = TCPClient(Self.site, from: lab.freshEndpoint())
    lab.open(open)
    #expect(lab.inspector.flowCount == 3)
    lab.wait(seconds: 11)
    #expect(lab.inspector.flowCount == 1)
    #expect(lab.inspector.streamCount == 0)
    for _ in 0..<370 { lab.wait(seconds: 10) }
    #expect(lab.inspector.flowCount == 0)
    #expect(lab.events.filter { if case .flow = $0.body { true } else { false } }.count == 3)
  }

  @Test("of plaintext requests that closed are forgotten soon too")
  func closedRequests() {
    var lab = InspectorLab()
    let connection = TCPClient("93.184.216.10:80")
    lab.open(connection)
    lab.send(connection.segment(request("good.example")))
    lab.send(connection.segment([], at: UInt32(request("good.example").count), flags: [.fin, .ack]))
    lab.wait(seconds: 11)
    #expect(lab.inspector.flowCount == 0 && lab.inspector.streamCount == 0)
  }

  @Test(
    "whose start was not seen meet onFailure.midstream, and are searched where it accepts them",
    arguments: [
      Action.accept, .reject, .drop,
    ])
  func midstream(action: Action) {
    var exceptions = ExceptionPolicy()
    exceptions.midstream = action
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"], exceptions: exceptions))
    let connection = TCPClient(Self.site)
    let spoiled = connection.segment([9, 9])
    var packet = spoiled
    packet[packet.count - 1] ^= 1
    lab.send(packet, checksumsUnreliable: false)
    let verdict = lab.send(connection.segment([1, 2, 3]))
    #expect(verdict.action == action)
    if action != .accept { #expect(verdict.reason == .midstream) }
    let late = lab.send(connection.segment(hello("denied.net"), at: 3))
    #expect(late.action == (action == .accept ? .reject : action))
  }

  @Test("beyond the table's cap meet onFailure.flowTableFull, and a denied address stays denied")
  func tableFull() {
    for action: Action in [.accept, .drop] {
      var exceptions = ExceptionPolicy()
      exceptions.flowTableFull = action
      var lab = InspectorLab(
        TestPolicy(denied: ["93.184.216.99", "denied.net"], exceptions: exceptions), limits: InspectorLimits(flows: 8))
      for _ in 0..<8 { lab.open(TCPClient(Self.site, from: lab.freshEndpoint())) }
      let verdict = lab.open(TCPClient(Self.site, from: lab.freshEndpoint()))
      let isRefused = action != .accept
      if isRefused { #expect(verdict == Verdict(action, .flowTableFull, scope: .packet)) }
      #expect(verdict.action == action)
      #expect(lab.open(TCPClient("93.184.216.99:443", from: lab.freshEndpoint())).reason == .deniedAddress)
      #expect(lab.inspector.flowCount == 8)
      #expect((lab.inspector.counters.flowTableFull >= 2) == isRefused)
      #expect((lab.inspector.counters.evicted >= 2) == !isRefused)
    }
  }

  @Test("are not made by what is no IP packet, which meets onFailure.malformed")
  func malformed() {
    for action: Action in [.accept, .drop] {
      var exceptions = ExceptionPolicy()
      exceptions.malformed = action
      var lab = InspectorLab(TestPolicy(exceptions: exceptions))
      for bytes: [UInt8] in [[], [0x45], [0x45, 0, 0, 20], [0xff, 1, 2, 3], [0x60, 0, 0]] {
        #expect(lab.send(bytes) == Verdict(action, .malformed, scope: .packet))
      }
      #expect(lab.inspector.flowCount == 0)
      #expect(lab.inspector.counters.malformed == 5)
    }
  }

  @Test("take the sender for the agent in live use, and the opener for the client in a capture")
  func direction() {
    var lab = InspectorLab()
    // Live: an agent's answer to a connection from outside is the agent's packet.
    lab.send(
      PacketBuilder.tcp(from: "10.88.0.7:8080", to: "93.184.216.10:50000", flags: [.syn, .ack], sequence: 4))
    #expect(lab.inspector.sessions[0].id == "task-1")
    lab = InspectorLab()
    lab.hook = .replay
    lab.send(
      PacketBuilder.tcp(from: "93.184.216.10:443", to: "10.88.0.7:40000", flags: [.syn, .ack], acknowledgement: 1_001))
    let connection = TCPClient(Self.site)
    lab.send(connection.segment(hello("good.example")))
    #expect(lab.inspector.sessions[0].id == "task-1")
    #expect(lab.destination?.key == "93.184.216.10")
  }

  @Test("give back all they held when a hundred thousand of them came and went")
  func nothingLeft() {
    var lab = InspectorLab(TestPolicy(), limits: InspectorLimits(flows: 2_000))
    for number in 0..<20_000 {
      var connection = TCPClient(Self.site, from: Endpoint(address("10.88.0.7"), UInt16(1_024 + number % 1_000)))
      connection.first = UInt32(truncatingIfNeeded: number &* 0x0100_0193)
      lab.send(connection.syn)
      lab.send(connection.segment(number % 2 == 0 ? Array(hello("good.example")[..<50]) : request("good.example")))
      if number % 100 == 0 { lab.sink.events.removeAll() }
    }
    #expect(lab.inspector.flowCount <= 1_000)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(lab.inspector.flowCount == 0 && lab.inspector.streamCount == 0)
  }

  @Test("together hold no more unfinished bytes than their cap")
  func unfinishedBytes() {
    var lab = InspectorLab(TestPolicy(), limits: InspectorLimits(flows: 4_096, streamBytes: 1 << 20))
    let half = Array(largeHello("good.example", padding: 14_000)[..<13_000])
    for _ in 0..<400 { lab.connect(Self.site, sending: half) }
    #expect(lab.inspector.heldStreamBytes <= (1 << 20) + 65_536)
    // Others still get through.
    #expect(lab.connect(Self.site, sending: hello("good.example")).action == .accept)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(lab.inspector.heldStreamBytes == 0)
  }
}
