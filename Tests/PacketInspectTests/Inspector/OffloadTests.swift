import Testing

@testable import PacketInspect

extension InspectorLab {
  fileprivate mutating func account(_ kernel: KernelFlow) { inspector.account(kernel, now: now, into: &sink) }
  /// Bytes that the agent's session has sent.
  fileprivate var bytesOut: UInt64 { inspector.sessions[0].figures.bytesOut }
  /// The TCP flows that live.
  fileprivate var connections: [FlowState] {
    inspector.flows.indices { $0.key.proto == IPProtocol.tcp.rawValue }.map { inspector.flows[$0] }
  }
}

@Suite("Flows left to the kernel")
struct OffloadTests {
  static let server: Endpoint = "93.184.216.10:443"
  private static func lab(_ policy: TestPolicy = TestPolicy()) -> InspectorLab {
    var lab = InspectorLab(policy)
    lab.inspector.mayOffload = true
    lab.lookUp("good.example", "93.184.216.10")
    return lab
  }

  /// What the kernel has counted of a connection.
  private static func counts(
    _ connection: TCPClient, sent: (UInt64, UInt64), received: (UInt64, UInt64) = (0, 0), hasEnded: Bool = false,
    isCounted: Bool = true, translatedFrom destination: String? = nil
  ) -> KernelFlow {
    KernelFlow(
      source: connection.client.address, sourcePort: connection.client.port,
      destination: destination.map(address) ?? connection.server.address, destinationPort: connection.server.port,
      replySource: connection.server.address, replySourcePort: connection.server.port, proto: IPProtocol.tcp.rawValue,
      hasEnded: hasEnded, isCounted: isCounted, sentPackets: sent.0, sentBytes: sent.1, receivedPackets: received.0,
      receivedBytes: received.1)
  }

  /// A TLS connection up to the packet that acknowledges the server's answer, which is passed.
  private static func passed(_ lab: inout InspectorLab, _ name: String = "good.example") -> TCPClient {
    let connection = TCPClient(server, from: lab.freshEndpoint())
    lab.open(connection)
    #expect(!lab.decide(connection.segment(hello(name))).mayPass)
    #expect(lab.decide(connection.answered(at: UInt32(hello(name).count))).mayPass)
    return connection
  }

  private static func ends(_ lab: InspectorLab) -> [FlowSummary] {
    lab.events.compactMap {
      if case .flow(let summary) = $0.body, $0.flow?.proto == IPProtocol.tcp.rawValue { summary } else { nil }
    }
  }

  @Test("are passed with the client's packet that acknowledges the server's answer to the hello, and not before")
  func tls() {
    var lab = Self.lab()
    let connection = TCPClient(Self.server)
    #expect(!lab.decide(connection.syn).mayPass)
    #expect(!lab.decide(connection.handshakeAck).mayPass)
    let bytes = hello("good.example")
    #expect(!lab.decide(connection.segment(Array(bytes[..<40]))).mayPass)
    #expect(!lab.decide(connection.segment(Array(bytes[40...]), at: 40)).mayPass)
    // More of the client's, with which it acknowledges nothing new.
    #expect(!lab.decide(connection.segment([20, 3, 3, 0, 1, 1], at: UInt32(bytes.count))).mayPass)
    #expect(lab.decide(connection.answered(at: UInt32(bytes.count + 6))).mayPass)
    #expect(lab.inspector.counters.passed == 1)
  }

  @Test("are none while nobody accounts for them, none that are refused, none whose start was not seen, no plaintext")
  func others() {
    var lab = Self.lab(TestPolicy(denied: ["denied.net"]))
    lab.inspector.mayOffload = false
    let early = TCPClient(Self.server, from: lab.freshEndpoint())
    lab.open(early)
    lab.send(early.segment(hello("good.example")))
    #expect(!lab.decide(early.answered(at: UInt32(hello("good.example").count))).mayPass)
    lab.inspector.mayOffload = true
    // It is passed as soon as it speaks again.
    #expect(lab.decide(early.answered(200, at: UInt32(hello("good.example").count))).mayPass)

    let denied = TCPClient(Self.server, from: lab.freshEndpoint())
    lab.open(denied)
    #expect(!lab.decide(denied.segment(hello("denied.net"))).mayPass)
    #expect(!lab.decide(denied.answered(at: UInt32(hello("denied.net").count))).mayPass)

    let midstream = TCPClient(Self.server, from: lab.freshEndpoint())
    for offset in UInt32(0)..<40 {
      let packet = midstream.segment(Array(repeating: 0x55, count: 4_000), at: offset &* 4_000)
      #expect(!lab.decide(packet).mayPass)
    }

    let web = TCPClient("93.184.216.10:80", from: lab.freshEndpoint())
    lab.open(web)
    let head = request("good.example")
    for number in UInt32(0)..<5 {
      #expect(!lab.decide(web.segment(head, at: number &* UInt32(head.count))).mayPass)
      let answer = web.answered(100 &* (number &+ 1), at: (number &+ 1) &* UInt32(head.count))
      #expect(!lab.decide(answer).mayPass)
    }
  }

  @Test("in observe mode are those that enforcing would accept, too")
  func observing() {
    var lab = Self.lab(TestPolicy(mode: .observe, denied: ["denied.net"]))
    _ = Self.passed(&lab)
    let denied = TCPClient(Self.server, from: lab.freshEndpoint())
    lab.open(denied)
    lab.send(denied.segment(hello("denied.net")))
    #expect(!lab.decide(denied.answered(at: UInt32(hello("denied.net").count))).mayPass)
  }

  @Test("a closing packet is not the one that passes")
  func closing() {
    var lab = Self.lab()
    let connection = TCPClient(Self.server, from: lab.freshEndpoint())
    lab.open(connection)
    lab.send(connection.segment(hello("good.example")))
    let bytes = UInt32(hello("good.example").count)
    let last = PacketBuilder.tcp(
      from: connection.client, to: connection.server, flags: [.fin, .ack], sequence: connection.first &+ bytes,
      acknowledgement: connection.acknowledged &+ 100)
    #expect(!lab.decide(last).mayPass)
  }

  @Test("count for their session what the kernel has counted of them, once, and end when it says so")
  func accounting() throws {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    let before = lab.bytesOut
    let seen = try #require(lab.connections.first)
    let base = (UInt64(seen.clientPackets), seen.clientBytes)
    for round in 1...3 as ClosedRange<UInt64> {
      lab.wait(seconds: 1)
      let sent = (base.0 + round * 10, base.1 + round * 10_000)
      lab.account(Self.counts(connection, sent: sent, received: (round * 100, round * 100_000)))
      #expect(lab.bytesOut == before + round * 10_000)
    }
    lab.account(
      Self.counts(connection, sent: (base.0 + 31, base.1 + 30_052), received: (301, 300_052), hasEnded: true))
    let summary = try #require(Self.ends(lab).first)
    #expect(Self.ends(lab).count == 1)
    #expect(summary.accounting == .kernel)
    #expect(summary.bytesToServer == base.1 + 30_052)
    #expect(summary.packetsToServer == base.0 + 31)
    #expect(summary.bytesToClient == 300_052)
    #expect(lab.bytesOut == before + 30_052)
    let received = try #require(summary.shape?.received)
    #expect(received == 300_052 - 301 * 52)
    // A word that comes late is about nobody.
    lab.account(Self.counts(connection, sent: (900, 900_000)))
    #expect(lab.bytesOut == before + 30_052)
  }

  @Test("whose destination was translated before they were queued are found")
  func translation() {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    let before = lab.bytesOut
    lab.account(Self.counts(connection, sent: (50, 50_000), translatedFrom: "93.184.216.99"))
    #expect(lab.bytesOut > before + 40_000)
  }

  @Test("the kernel's word on a flow that was never passed changes nothing")
  func notPassed() {
    var lab = Self.lab()
    let connection = TCPClient(Self.server, from: lab.freshEndpoint())
    lab.open(connection)
    let before = lab.bytesOut
    lab.account(Self.counts(connection, sent: (50, 50_000), hasEnded: true))
    #expect(lab.bytesOut == before)
    #expect(Self.ends(lab).isEmpty)
  }

  @Test("whose end nobody told are over when three listings lack them, and say that there was more")
  func lostEnd() throws {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    lab.account(Self.counts(connection, sent: (50, 50_000)))
    for _ in 0..<3 {
      lab.wait(seconds: 1)
      #expect(Self.ends(lab).isEmpty)
      lab.inspector.noteListing()
    }
    lab.wait(seconds: 1)
    let summary = try #require(Self.ends(lab).first)
    #expect(summary.accounting == .lowerBound)
    #expect(summary.bytesToServer == 50_000)
  }

  @Test("that listings have live on while they are silent, for an hour; then they are taken back and forgotten")
  func silence() {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    lab.account(Self.counts(connection, sent: (50, 50_000)))
    for _ in 1..<60 {
      lab.wait(seconds: 60)
      lab.account(Self.counts(connection, sent: (50, 50_000)))
      lab.inspector.noteListing()
    }
    let before = (ends: Self.ends(lab).count, owes: lab.inspector.owesRevocation)
    #expect(before == (0, false))
    lab.wait(seconds: 120)
    let after = (ends: Self.ends(lab).count, owes: lab.inspector.owesRevocation)
    #expect(after == (1, true))
  }

  @Test("come back with another policy, are judged by it, and are passed again if they still may")
  func revocation() {
    var lab = Self.lab()
    lab.lookUp("soon.example", "93.184.216.10")
    let connection = Self.passed(&lab)
    let denied = Self.passed(&lab, "soon.example")
    lab.inspector.replacePolicy(TestPolicy(denied: ["soon.example"], epoch: 2).snapshot)
    // Taken back, they are in no listing: that does not end them.
    for _ in 0..<5 {
      lab.inspector.noteListing()
      lab.wait(seconds: 1)
    }
    #expect(Self.ends(lab).isEmpty)
    #expect(lab.decide(connection.answered(300, at: 600)).mayPass)
    let refused = lab.decide(denied.answered(300, at: 600))
    #expect(refused.verdict == Verdict(.reject, .deniedName, scope: .flow))
    #expect(!refused.mayPass)
  }

  @Test("a packet that comes all the same says that the kernel's count is not the whole, until it counts anew")
  func comeBack() throws {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    lab.account(Self.counts(connection, sent: (50, 50_000)))
    lab.inspector.mayOffload = false
    lab.send(connection.answered(300, at: 600))
    var flow = try #require(lab.connections.first)
    #expect(flow.accounting == .lowerBound)
    #expect(flow.clientBytes > 50_000)
    lab.inspector.mayOffload = true
    lab.send(connection.answered(400, at: 600))
    lab.account(Self.counts(connection, sent: (60, 60_000)))
    flow = try #require(lab.connections.first)
    #expect(flow.accounting == .kernel)
    #expect(flow.clientBytes == 60_000)
    lab.account(Self.counts(connection, sent: (61, 61_000), isCounted: false))
    flow = try #require(lab.connections.first)
    #expect(flow.accounting == .lowerBound)
  }

  @Test("whose ports are used again take nothing back: a SYN that comes here meets no passed connection in the kernel")
  func portReuse() {
    var lab = Self.lab()
    var connection = Self.passed(&lab)
    connection.first = 0x5000_0000
    lab.send(connection.syn)
    let (ends, owes) = (Self.ends(lab).map(\.accounting), lab.inspector.owesRevocation)
    #expect(ends == [.lowerBound])
    #expect(!owes)
    // What the kernel says late of the former connection is not about this one.
    lab.account(Self.counts(connection, sent: (50, 50_000), hasEnded: true))
    #expect(Self.ends(lab).count == 1)
  }

  @Test("an upload that goes past is flagged by what the kernel counts")
  func upload() {
    var lab = Self.lab()
    let connection = Self.passed(&lab)
    for round in 1...12 as ClosedRange<UInt64> {
      lab.wait(seconds: 1)
      lab.account(
        Self.counts(connection, sent: (round * 200, round * 10_000_000), received: (round * 100, round * 5_300)))
    }
    let flags = lab.events.compactMap { event -> ReviewFlag? in
      if case .alert(let flag) = event.body, flag.kind == .uploadHeavy { flag } else { nil }
    }
    #expect(flags.count == 1)
    #expect(flags.first?.evidence.contains { $0.name == "rests_on" && $0.value == .text("conntrack") } == true)
  }

  @Test("UDP that is no DNS is passed by what begins no QUIC connection, once it is decided")
  func datagrams() {
    var lab = Self.lab()
    let client = lab.freshEndpoint()
    var passes: [Bool] = []
    for _ in 0..<12 {
      passes.append(
        lab.decide(PacketBuilder.udp(from: client, to: "93.184.216.20:9999", payload: [0x12, 1, 2, 3])).mayPass)
    }
    #expect(!passes.prefix(8).contains(true))
    #expect(passes.last == true)
    let asker = lab.freshEndpoint()
    for number in UInt8(0)..<12 {
      let question = DNSBuilder(questions: [DNSBuilder.question(DNSBuilder.name("a\(number).example"))]).bytes
      #expect(!lab.decide(PacketBuilder.udp(from: asker, to: InspectorLab.resolver, payload: question)).mayPass)
    }
  }
}
