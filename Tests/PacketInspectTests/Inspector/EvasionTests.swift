import Testing

@testable import PacketInspect

@Suite("Evasion")
struct EvasionTests {
  static let site: Endpoint = "93.184.216.10:443"
  static let web: Endpoint = "93.184.216.10:80"
  private func lab() -> InspectorLab { InspectorLab(TestPolicy(denied: ["denied.net"])) }

  /// Sends a stream in pieces, in an order; the verdicts in the order sent.
  private func send(_ bytes: [UInt8], cutAt cuts: [Int], order: [Int], _ lab: inout InspectorLab) -> [Verdict] {
    let connection = TCPClient(Self.site, from: lab.freshEndpoint())
    lab.open(connection)
    let bounds = [0] + cuts + [bytes.count]
    return order.map { lab.send(connection.segment(Array(bytes[bounds[$0]..<bounds[$0 + 1]]), at: UInt32(bounds[$0]))) }
  }

  @Test("by a hello of 1.8 KB in segments of any order, repeated or not, does not work")
  func largeHellos() {
    var lab = lab()
    let bytes = largeHello("denied.net")
    #expect(bytes.count > 1_400 && bytes.count < 2_000)
    for order in [
      [0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 0, 1, 1, 0, 2], [2, 2, 1, 1, 0],
    ] {
      let verdicts = send(bytes, cutAt: [700, 1_400], order: order, &lab)
      #expect(verdicts.last == Verdict(.reject, .deniedName, scope: .flow))
      #expect(verdicts.dropLast().allSatisfy { $0.action == .accept })
    }
    #expect(!lab.flags.contains(.evasion))
  }

  @Test("by one byte a segment with 30 seconds between them does not work")
  func slowBytes() {
    var lab = lab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let bytes = hello("denied.net")
    var last = Verdict(.accept, .undecided)
    for (offset, byte) in bytes.enumerated() {
      #expect(last.action == .accept)
      lab.wait(seconds: 30)
      last = lab.send(connection.segment([byte], at: UInt32(offset)))
    }
    #expect(last == Verdict(.reject, .deniedName, scope: .flow))
  }

  @Test("by overlapping segments that disagree is refused and flagged")
  func overlap() {
    var lab = lab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let good = hello("good.example")
    #expect(lab.send(connection.segment(Array(good[..<100]))).action == .accept)
    let evil = Array(hello("denied.net")[..<120])
    #expect(lab.send(connection.segment(evil)) == Verdict(.reject, .evasion, scope: .flow))
    #expect(lab.send(connection.segment(Array(good[100...]), at: 100)).action == .reject)
    #expect(lab.flags == [.evasion])
  }

  @Test("by a second, other copy of a hello is refused until the server has answered the first")
  func secondCopy() {
    var lab = lab()
    let good = hello("good.exam1e")
    var evil = good
    evil.replaceSubrange(evil.count - 60..<evil.count - 50, with: Array("0123456789".utf8))
    for answered in [false, true] {
      let connection = TCPClient(Self.site, from: lab.freshEndpoint())
      lab.open(connection)
      #expect(lab.send(connection.segment(good)).action == .accept)
      #expect(lab.send(connection.segment(good)).action == .accept)
      if answered { lab.send(connection.answered(at: UInt32(good.count))) }
      let verdict = lab.send(connection.segment(evil))
      #expect(verdict.reason == (answered ? .allowed : .evasion))
    }
    #expect(lab.flags.filter { $0 == .evasion }.count == 1)
  }

  @Test(
    "by another copy of a request's head is refused, whether it has a body or not",
    arguments: [
      "", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
    ])
  func secondHead(framing: String) {
    var lab = lab()
    let connection = TCPClient(Self.web)
    lab.open(connection)
    let good = request("good.net", method: "POST", more: framing)
    let evil = request("evil.net", method: "POST", more: framing)
    let body = framing.isEmpty ? [] : Array((framing.hasPrefix("C") ? "abc" : "3\r\nabc\r\n").utf8)
    #expect(lab.send(connection.segment(good)).action == .accept)
    if !body.isEmpty { #expect(lab.send(connection.segment(body, at: UInt32(good.count))).action == .accept) }
    #expect(lab.send(connection.segment(evil)) == Verdict(.reject, .evasion, scope: .flow))
  }

  @Test("by junk that a hello takes the place of is refused until the server has answered the junk")
  func junkBeforeHello() {
    for answered in [false, true] {
      var lab = lab()
      let connection = TCPClient(Self.site, from: lab.freshEndpoint())
      lab.open(connection)
      let junk = [UInt8](repeating: 0x2a, count: 700)
      #expect(lab.send(connection.segment(junk)).action == .accept)
      if answered { lab.send(connection.answered(at: UInt32(junk.count))) }
      let verdict = lab.send(connection.segment(hello("denied.net")))
      // Once the server has the junk, it takes nothing else in its place.
      #expect(verdict.action == (answered ? .accept : .reject))
      if answered {
        let next = lab.send(connection.segment(hello("denied.net"), at: UInt32(junk.count)))
        #expect(next.reason == .deniedName)
      } else {
        #expect(verdict.reason == .evasion)
      }
    }
  }

  @Test("by a question over TCP in whose place another comes is refused")
  func secondQuestion() {
    func message(_ name: String) -> [UInt8] {
      let bytes = DNSBuilder(id: 7, questions: [DNSBuilder.question(DNSBuilder.name(name))]).bytes
      return PacketBuilder.be16(UInt16(bytes.count)) + bytes
    }
    var lab = lab()
    let connection = TCPClient("93.184.216.53:53", from: lab.freshEndpoint())
    lab.open(connection)
    #expect(lab.send(connection.segment(message("fine12.net"))).action == .accept)
    #expect(lab.send(connection.segment(message("fine12.net"))).action == .accept)
    #expect(lab.send(connection.segment(message("denied.net"))).reason == .evasion)
  }

  @Test("by more unanswered bytes after a hello than are kept is not waited out")
  func flushed() {
    var lab = lab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let good = hello("good.example")
    lab.send(connection.segment(good))
    let filler = [UInt8](repeating: 0x17, count: 1_400)
    var offset = UInt32(good.count)
    var kept = 0
    for _ in 0..<80 {
      let verdict = lab.send(connection.segment(filler, at: offset))
      if verdict.action == .accept { kept += filler.count }
      #expect(verdict.action != .reject)
      offset += UInt32(filler.count)
    }
    #expect(kept <= StreamAssembler.window)
    let evil = Array(hello("denied.net")[..<120])
    #expect(lab.send(connection.segment(evil)).action == .reject)
  }

  @Test("by a SYN in the middle of a connection, so that the hello's rest is taken for its start, is refused")
  func synInTheMiddle() {
    // 0: the SYN hides where the stream goes on. 50: what follows would wait behind a gap for ever.
    for distance: UInt32 in [0, 50] {
      var lab = lab()
      var connection = TCPClient(Self.site)
      lab.open(connection)
      let bytes = hello("denied.net")
      lab.send(connection.segment(Array(bytes[..<40])))
      var fake = connection
      fake.first = connection.first &+ 40 &- distance
      lab.send(fake.syn)
      #expect(lab.send(connection.segment(Array(bytes[40...]), at: 40)).action == .reject)

      // Before any byte.
      connection = TCPClient(Self.site, from: lab.freshEndpoint())
      lab.open(connection)
      fake = connection
      fake.first = connection.first &- distance
      if distance > 0 { lab.send(fake.syn) }
      #expect(lab.send(connection.segment(bytes)).action == .reject)
    }
  }

  @Test("by a reset that never arrives and some patience does not make the rest of a message nameless")
  func fakeReset() {
    var lab = lab()
    for port: UInt16 in [443, 80] {
      let bytes = port == 443 ? hello("denied.net") : request("denied.net")
      let connection = TCPClient(Endpoint(Self.site.address, port), from: lab.freshEndpoint())
      lab.open(connection)
      lab.send(connection.segment(Array(bytes[..<20])))
      lab.send(connection.segment([], at: 20, flags: .rst))
      for _ in 0..<60 { lab.wait(seconds: 1) }
      #expect(lab.send(connection.segment(Array(bytes[20...]), at: 20)).reason == .deniedName)
    }
  }

  @Test("by bytes that no receiver takes does not work: without ACK, with a wrong checksum, beside RST")
  func ignoredSegments() {
    let good = hello("good.example")
    let evil = hello("denied.net")
    for kind in 0..<3 {
      var lab = lab()
      let connection = TCPClient(Self.site)
      lab.open(connection)
      switch kind {
      case 0: lab.send(connection.segment(good, flags: .psh))
      case 1:
        var packet = connection.segment(good)
        packet[packet.count - 1] ^= 1
        #expect(lab.send(packet, checksumsUnreliable: false).action == .drop)
      default: lab.send(connection.segment(good, flags: [.rst, .ack]))
      }
      #expect(!lab.events.contains { if case .tls = $0.body { true } else { false } })
      #expect(lab.send(connection.segment(evil), checksumsUnreliable: false).reason == .deniedName)
    }
  }

  @Test("by a hello inside the SYN is compared with what comes after the handshake")
  func fastOpen() {
    for acknowledgement: UInt32 in [0, 0x7000_0000, 0xf000_0000] {
      var lab = lab()
      let connection = TCPClient(Self.site)
      let syn = PacketBuilder.tcp(
        from: connection.client, to: Self.site, flags: .syn, sequence: connection.first &- 1,
        acknowledgement: acknowledgement, payload: hello("good.example"))
      #expect(lab.send(syn).action == .accept)
      lab.send(connection.handshakeAck)
      #expect(lab.send(connection.segment(hello("denied.net"))).action == .reject)
    }
  }

  @Test("by a hello after other talk, as STARTTLS has it, does not work")
  func lateHello() {
    var lab = lab()
    let connection = TCPClient("93.184.216.10:25")
    lab.open(connection)
    let talk = [Array("EHLO there\r\n".utf8), Array("STARTTLS\r\n".utf8)]
    var offset: UInt32 = 0
    for line in talk {
      #expect(lab.send(connection.segment(line, at: offset)).action == .accept)
      offset += UInt32(line.count)
    }
    let bytes = largeHello("denied.net")
    #expect(lab.send(connection.segment(Array(bytes[..<3]), at: offset)).action == .accept)
    #expect(lab.send(connection.segment(Array(bytes[3..<800]), at: offset + 3)).action == .accept)
    #expect(lab.send(connection.segment(Array(bytes[800...]), at: offset + 800)).reason == .deniedName)
  }

  @Test("by records of any size inside the hello does not work", arguments: [1, 2, 5, 33, 100])
  func records(size: Int) {
    var lab = lab()
    let bytes = TLSHelloBuilder(name: "denied.net").stream(recordSize: size)
    #expect(lab.connect(Self.site, sending: bytes).reason == .deniedName)
    #expect(send(bytes, cutAt: [3, 90], order: [2, 0, 1], &lab).last?.reason == .deniedName)
  }

  @Test("by a hello or head that does not end within 16 KiB meets onFailure.helloIncomplete")
  func incomplete() {
    let endless: [[UInt8]] = [
      Array("GET / HTTP/1.1\r\nHost: good.example\r\nX: ".utf8) + [UInt8](repeating: 0x61, count: 20_000),
      // Servers take hellos of more than 16 KiB: one that could hide a name behind its padding is no nameless flow.
      largeHello("good.example", padding: 17_000), largeHello("denied.net", padding: 17_000),
    ]
    for (number, bytes) in endless.enumerated() {
      for action: Action in [.reject, .accept] {
        var exceptions = ExceptionPolicy()
        exceptions.helloIncomplete = action
        var lab = InspectorLab(TestPolicy(denied: ["denied.net"], exceptions: exceptions))
        let connection = TCPClient(Self.site)
        lab.open(connection)
        var verdicts: [Verdict] = []
        for start in stride(from: 0, to: bytes.count, by: 1_400) {
          let piece = Array(bytes[start..<min(start + 1_400, bytes.count)])
          verdicts.append(lab.send(connection.segment(piece, at: UInt32(start))))
        }
        #expect(verdicts.last?.action == action, "case \(number)")
        #expect(verdicts.last?.reason == .helloIncomplete, "case \(number)")
        #expect(lab.inspector.streamCount == 0, "case \(number)")
      }
    }
  }

  @Test("by a hello too long to read that names a denied host first is refused by that name")
  func namedTooLong() {
    var builder = TLSHelloBuilder(name: "denied.net")
    builder.extensions?.append((21, [UInt8](repeating: 0, count: 17_000)))
    var exceptions = ExceptionPolicy()
    exceptions.helloIncomplete = .accept
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"], exceptions: exceptions))
    #expect(lab.connect(Self.site, sending: Array(builder.stream(recordSize: 16_384)[..<1_400])).reason == .deniedName)
  }

  @Test("by sending from the port of DNS does not work: only what answers a question is an answer")
  func sourcePort53() {
    var lab = lab()
    let tcp = TCPClient(Self.site, from: "10.88.0.7:53")
    lab.open(tcp)
    #expect(lab.send(tcp.segment(hello("denied.net"))).reason == .deniedName)
    let udp = PacketBuilder.udp(from: "10.88.0.7:53", to: "93.184.216.77:4444", payload: [1, 2, 3])
    lab.send(udp)
    #expect(lab.destinations.contains("93.184.216.77"))
    #expect(lab.inspector.sessions.count == 1)
  }

  @Test("by text without an end in a searched stream neither stalls the flow nor grows it")
  func endlessText() {
    var lab = lab()
    let connection = TCPClient("93.184.216.10:9000")
    lab.open(connection)
    var offset: UInt32 = 0
    let pieces =
      [[0, 1, 2, 3], Array("GET a".utf8)] + Array(repeating: [UInt8](repeating: 0x61, count: 1_400), count: 100)
    for piece in pieces {
      #expect(lab.send(connection.segment(piece, at: offset)).action == .accept)
      offset += UInt32(piece.count)
    }
    #expect(lab.inspector.streamCount == 0)
  }
}
