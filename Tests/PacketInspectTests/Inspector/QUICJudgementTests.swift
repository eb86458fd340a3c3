import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("QUIC is judged")
struct QUICJudgementTests {
  typealias Builder = QUICInitialBuilder
  static let otherID: [UInt8] = [9, 8, 7, 6, 5, 4, 3, 2, 1]
  static let serverID: [UInt8] = [0xaa, 0xbb, 0xcc, 0xdd]

  @Test("by a name that a trusted answer gave its address")
  func corroborated() {
    var lab = QUICLab()
    lab.resolve("www.allowed.com")
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")) == Verdict(.accept, .allowed))
    #expect(lab.quicEvents.map(\.destination?.key) == ["allowed.com"])
    #expect(lab.quicEvents.map(\.destination?.evidence) == [.quicSNI])
    #expect(lab.flags.isEmpty)
  }

  @Test("by its address when nothing corroborates the name")
  func uncorroborated() {
    var lab = QUICLab()
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")).action == .accept)
    #expect(lab.quicEvents.map(\.destination?.key) == ["93.184.216.10"])
    #expect(lab.quicEvents.map(\.destination?.evidence) == [.sniUnverified])
    #expect(lab.flags == [.nameUnverified])
  }

  @Test(
    "and refused for the whole flow when its name is denied, in any version", arguments: [1, 0x6b33_43cf] as [UInt32])
  func denied(version: UInt32) {
    var lab = QUICLab()
    #expect(lab.send(Builder(version: version).packet(hello: "sub.denied.net")) == Verdict(.reject, .deniedName))
    #expect(lab.send([0x40, 1, 2, 3]) == Verdict(.reject, .deniedName))
    #expect(lab.send(Builder(destination: Self.otherID).packet(hello: "www.allowed.com")).action == .reject)
    #expect(lab.flags == [.denyHit])
  }

  @Test("with early data and a second Initial in the same datagram")
  func coalesced() {
    var lab = QUICLab()
    let message = Builder.hello("sub.denied.net")
    let first = Builder(payloadLength: 100).packet(Builder.crypto(message, 0..<60))
    let zeroRTT: [UInt8] =
      [0xd0, 0, 0, 0, 1, 8] + Builder().destination + [0, 0x40, 0x20] + [UInt8](repeating: 7, count: 32)
    let second = Builder(packetNumber: 1, payloadLength: 600).packet(Builder.crypto(message, 60..<message.count))
    #expect(lab.send(first + zeroRTT + second + [0, 0, 0]) == Verdict(.reject, .deniedName))
  }

  @Test(
    "when the datagram that completes the hello comes, in whichever order",
    arguments: [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]])
  func severalDatagrams(order: [Int]) {
    var lab = QUICLab()
    let message = Builder.hello("sub.denied.net", padding: 1_500)
    let parts = [0..<700, 650..<1_300, 1_300..<message.count]
    for (number, part) in order.enumerated() {
      let verdict = lab.send(Builder(packetNumber: UInt32(part)).packet(Builder.crypto(message, parts[part])))
      #expect(verdict == (number < 2 ? Verdict(.accept, .undecided, scope: .packet) : Verdict(.reject, .deniedName)))
      if number < 2 { #expect(lab.send([0x40, 1, 2, 3]).action == .accept) }
    }
  }

  @Test("behind any number of other packets in its datagram; behind too many Initials it does not pass")
  func behindManyPackets() {
    let empty: [UInt8] = [0xe0, 0, 0, 0, 1, 0, 0, 0]
    var lab = QUICLab()
    let junk = [[UInt8]](repeating: empty, count: 60).flatMap { $0 }
    #expect(lab.send(junk + Builder().packet(hello: "denied.net")) == Verdict(.reject, .deniedName))
    var other = QUICLab()
    let initial: [UInt8] = [0xc0, 0, 0, 0, 1, 0, 0, 0, 0]
    let many = [[UInt8]](repeating: initial, count: QUICDatagram.maximumInitials).flatMap { $0 }
    let verdict = other.send(many + Builder().packet(hello: "denied.net"))
    #expect(verdict == Verdict(.drop, .malformed, scope: .packet))
  }

  @Test("once when datagrams are sent again")
  func repeated() {
    var lab = QUICLab()
    for number in 0..<4 {
      let packet = Builder(packetNumber: UInt32(number)).packet(hello: "www.allowed.com")
      #expect(lab.send(packet).action == .accept)
    }
    #expect(lab.names == ["www.allowed.com"])
  }

  @Test("again for every other connection on the same socket")
  func secondConnection() {
    var lab = QUICLab()
    lab.resolve("www.allowed.com")
    lab.resolve("www.other.org")
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")).action == .accept)
    #expect(lab.send([0x40, 1, 2, 3]).action == .accept)
    #expect(lab.send(Builder(destination: Self.otherID).packet(hello: "www.other.org")).action == .accept)
    #expect(lab.names == ["www.allowed.com", "www.other.org"])
    #expect(lab.destinations.isSuperset(of: ["allowed.com", "other.org"]))
    #expect(
      lab.send(Builder(destination: [1, 1, 1, 1, 1, 1, 1, 1]).packet(hello: "denied.net"))
        == Verdict(.reject, .deniedName))
  }

  @Test("also behind datagrams of another protocol on the same socket")
  func behindOther() {
    var lab = QUICLab()
    for _ in 0..<20 { #expect(lab.send([1, 2, 3, 4]).action == .accept) }
    #expect(lab.send(Builder().packet(hello: "denied.net")) == Verdict(.reject, .deniedName))
  }

  @Test("by its name again after a Retry, without a second event")
  func retry() {
    var lab = QUICLab()
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")).action == .accept)
    let again = Builder(destination: Self.serverID, token: [1, 2, 3], packetNumber: 1)
    #expect(lab.send(again.packet(hello: "www.allowed.com")).action == .accept)
    #expect(lab.names == ["www.allowed.com"])
    #expect(lab.inspector.counters.quicHellos == 2)
    // The name after a Retry is a claim like the first.
    let lying = Builder(destination: Self.otherID, token: [1, 2, 3], packetNumber: 1)
    #expect(lab.send(lying.packet(hello: "denied.net")).action == .reject)
    #expect(lab.names == ["www.allowed.com", "denied.net"])
  }

  @Test("by the first connection's keys when the client has moved to the ID that the server chose")
  func serverChosenID() {
    var lab = QUICLab()
    let message = Builder.hello("sub.denied.net", padding: 1_200)
    let first = Builder().packet(Builder.crypto(message, 0..<1_100))
    #expect(lab.send(first).reason == .undecided)
    let moved = Builder(destination: Self.serverID, keyID: Builder().destination, packetNumber: 1)
    #expect(lab.send(moved.packet(Builder.crypto(message, 1_100..<message.count))) == Verdict(.reject, .deniedName))
  }

  @Test("by the first connection's keys when several hang in the middle of their hello")
  func interleaved() {
    var lab = QUICLab()
    let denied = Builder.hello("denied.net", padding: 1_200)
    let allowed = Builder.hello("www.allowed.com", padding: 1_200)
    lab.send(Builder().packet(Builder.crypto(denied, 0..<1_000)))
    lab.send(Builder(destination: Self.otherID).packet(Builder.crypto(allowed)))
    let moved = Builder(destination: Self.serverID, keyID: Builder().destination, packetNumber: 1)
    #expect(lab.send(moved.packet(Builder.crypto(denied, 1_000..<denied.count))) == Verdict(.reject, .deniedName))
  }

  @Test("across a change of version that client and server agreed on")
  func compatibleVersion() {
    var lab = QUICLab()
    let message = Builder.hello("www.allowed.com")
    lab.send(Builder().packet(Builder.crypto(message)))
    let second = Builder.hello("denied.net")
    let moved = Builder(
      version: 0x6b33_43cf, destination: Self.serverID, keyID: Builder().destination, packetNumber: 1)
    // A second hello follows the first in the stream, as after HelloRetryRequest.
    let frame = [6] + Builder.variable(message.count) + Builder.variable(second.count) + second
    #expect(lab.send(moved.packet(frame)) == Verdict(.reject, .deniedName))
  }

  @Test("after version negotiation by the version that both know; the first is reported, not guessed")
  func versionNegotiation() {
    var lab = QUICLab()
    let unknown = [0xc0] + PacketBuilder.be32(0x5130_3530) + [8] + [UInt8](repeating: 5, count: 1_300)
    lab.resolve("www.allowed.com")
    #expect(lab.send(unknown).action == .accept)
    #expect(lab.inspector.counters.quicUnknownVersion == 1)
    lab.send(Builder(destination: Self.otherID).packet(hello: "www.allowed.com"))
    #expect(lab.quicEvents.map(\.version) == [0x5130_3530, 1])
    #expect(lab.names == [nil, "www.allowed.com"])
  }

  @Test("after version negotiation by its new hello, also when the client keeps its ID")
  func versionNegotiationWithTheSameID() {
    var lab = QUICLab()
    #expect(lab.send(Builder(version: 0x6b33_43cf).packet(hello: "www.allowed.com")).action == .accept)
    var hello = TLSHelloBuilder(name: "www.allowed.com")
    hello.sessionID = []
    #expect(lab.send(Builder().packet(Builder.crypto(hello.message))).action == .accept)
    #expect(lab.names == ["www.allowed.com"])
    #expect(lab.inspector.counters.quicHellos == 2)
    #expect(!lab.flags.contains(.evasion))
    #expect(lab.send(Builder(version: 0xff00_001d).packet(hello: "denied.net")) == Verdict(.reject, .deniedName))
  }

  @Test("by its address when no keys open it")
  func unopened() {
    var lab = QUICLab()
    let packet = Builder(keyID: Self.otherID).packet(hello: "www.allowed.com")
    #expect(lab.send(packet).action == .accept)
    #expect(lab.inspector.counters.quicUnopened == 1)
    #expect(lab.quicEvents.isEmpty)
    #expect(lab.send(packet, to: "93.184.216.66:443").reason == .deniedAddress)
    // The true packet with the same ID is still read.
    #expect(lab.send(Builder().packet(hello: "denied.net")) == Verdict(.reject, .deniedName))
  }

  @Test("at its first packet when its address is denied")
  func deniedAddress() {
    var lab = QUICLab()
    let message = Builder.hello("www.allowed.com")
    let first = Builder().packet(Builder.crypto(message, 0..<50))
    #expect(lab.send(first, to: "93.184.216.66:443") == Verdict(.reject, .deniedAddress))
  }

  @Test("evasive when two copies of its handshake differ, also after the hello was judged")
  func conflict() {
    var lab = QUICLab()
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")).action == .accept)
    let other = Builder(packetNumber: 1).packet(hello: "www.a11owed.com")
    #expect(lab.send(other) == Verdict(.reject, .evasion))
    #expect(lab.flags.contains(.evasion))
  }

  @Test("incomplete when its hello does not end in bounds")
  func incomplete() {
    var lab = QUICLab()
    let huge: [UInt8] = [1, 0, 0x50, 0] + [UInt8](repeating: 3, count: 500)
    #expect(lab.send(Builder().packet(Builder.crypto(huge))) == Verdict(.reject, .helloIncomplete))
    var far = QUICLab()
    #expect(far.send(Builder().packet([6] + Builder.variable(20_000) + [1, 1])) == Verdict(.reject, .helloIncomplete))
    var accepting = QUICLab { $0.exceptions.helloIncomplete = .accept }
    #expect(accepting.send(Builder().packet(Builder.crypto(huge))).action == .accept)
    #expect(accepting.inspector.sessions[0].budget.used == 1)
  }

  @Test("as its address when the hello stays away: after five seconds, or many datagrams")
  func waiting() {
    let message = Builder.hello("www.allowed.com")
    let part = Builder().packet(Builder.crypto(message, 0..<50))
    var slow = QUICLab()
    slow.send(part)
    #expect(slow.inspector.sessions[0].budget.used == 0)
    slow.wait(seconds: 6)
    #expect(slow.inspector.sessions[0].budget.used == 1)
    var busy = QUICLab()
    busy.send(part)
    for _ in 0...QUICFlow.maximumWaiting { busy.send([0x40, 1, 2, 3]) }
    #expect(busy.inspector.sessions[0].budget.used == 1)
    // The name that comes after all takes the address's place.
    busy.resolve("www.allowed.com")
    busy.send(Builder(packetNumber: 1).packet(Builder.crypto(message, 50..<message.count)))
    #expect(busy.names == ["www.allowed.com"])
    #expect(busy.inspector.sessions[0].budget.used == 1)
  }

  @Test("within bounds: a connection too many on one socket waits until a place is free")
  func tooManyConnections() {
    var lab = QUICLab()
    func builder(_ number: Int) -> Builder { Builder(destination: [UInt8(number)] + Self.otherID) }
    for number in 0..<QUICFlow.maximumConnections {
      #expect(lab.send(builder(number).packet(hello: "www.allowed.com")).action == .accept)
    }
    let late = builder(99).packet(hello: "denied.net")
    #expect(lab.send(late) == Verdict(.drop, .undecided, scope: .packet))
    #expect(lab.inspector.counters.quicNoRoom == 1)
    lab.wait(seconds: 61)
    #expect(lab.send(late) == Verdict(.reject, .deniedName))
  }

  @Test("by itself when only the budget holds it: the socket's other connections go on")
  func budgetHeld() {
    var lab = QUICLab {
      $0.agentTypes["unattributed"] = AgentType(
        name: "unattributed", budget: BudgetPolicy(destinations: 2, onReach: .hold))
    }
    lab.resolve("www.allowed.com")
    lab.resolve("www.second.com")
    #expect(lab.send(Builder().packet(hello: "www.allowed.com")).action == .accept)
    // A name that was never asked for is charged to its address, which is new.
    let held = Builder(destination: Self.otherID).packet(hello: "www.third.com")
    #expect(lab.send(held) == Verdict(.reject, .budgetHeld, scope: .packet))
    #expect(lab.send(held) == Verdict(.reject, .budgetHeld, scope: .packet))
    #expect(lab.send([0x40, 1, 2, 3]).action == .accept)
  }

  @Test("by a public name when the hello hides another")
  func encryptedHello() {
    var lab = QUICLab()
    lab.resolve("public.example.com")
    var hello = TLSHelloBuilder(name: "public.example.com")
    hello.extensions?.append((0xfe0d, [0, 1, 2, 3]))
    #expect(lab.send(Builder().packet(Builder.crypto(hello.message))).action == .accept)
    #expect(lab.quicEvents.map(\.destination?.evidence) == [.dnsAnswer])
  }

  @Test("anew when the policy changes, by every name of the socket")
  func reload() {
    var lab = QUICLab()
    lab.send(Builder().packet(hello: "www.first.com"))
    lab.send(Builder(destination: Self.otherID).packet(hello: "www.second.com"))
    lab.inspector.replacePolicy(
      QUICLab.policy(epoch: 2) {
        $0.lists = [DenyList(name: "bad", action: .reject, entries: listed(["first.com"]))]
      })
    #expect(lab.send([0x40, 1, 2, 3]) == Verdict(.reject, .deniedName))
  }

  @Test("without acting when observing")
  func observing() {
    var lab = QUICLab { $0.mode = .observe }
    #expect(lab.send(Builder().packet(hello: "denied.net")).action == .accept)
    #expect(lab.sink.events.contains { $0.verdict?.would == .reject })
    #expect(lab.send(Builder(destination: Self.otherID).packet(hello: "other.denied.net")).action == .accept)
    #expect(lab.names == ["denied.net", "other.denied.net"])
  }

  @Test("only where a datagram begins: a later fragment of one is the flow's")
  func laterFragment() {
    var lab = QUICLab()
    lab.resolve("www.allowed.com")
    lab.send(Builder().packet(hello: "www.allowed.com"))
    let begins = Builder(destination: Self.otherID).packet(hello: "denied.net")
    let whole = PacketBuilder.udp(
      from: lab.client, to: QUICLab.server, payload: [UInt8](repeating: 0x40, count: 8) + begins)
    // Its data begin like a long header by chance.
    let packet = PacketBuilder.fragments(of: whole, size: 16)[1]
    let meta = PacketMeta(hook: .forward, originalLength: packet.count)
    let used = lab.inspector.sessions[0].budget.used
    #expect(lab.inspector.inspect(packet.rawSpan, meta: meta, now: lab.now, into: &lab.sink).verdict.action == .accept)
    #expect(lab.inspector.sessions[0].budget.used == used)
    #expect(lab.names == ["www.allowed.com"])
  }

  @Test(
    "in captures of a real client, with no packet left closed that its server opens",
    arguments: [
      ("quic-v1", ["docs-site.org"]), ("quic-v2-ipv6", ["docs-site.org"]), ("quic-upgrade", ["docs-site.org"]),
      ("quic-two-datagrams", ["docs-site.org"]), ("quic-retry", ["docs-site.org"]),
      ("quic-second-connection", ["docs-site.org", "sub.denied.net"]),
    ])
  func captures(name: String, names: [String]) throws {
    let fixtures = "\(#filePath)".split(separator: "/").dropLast(2).joined(separator: "/")
    let capture = try FileBytes.readAll("/\(fixtures)/Fixtures/\(name)/in.pcap", limit: 1 << 20)
    var lab = QUICLab { $0.mode = .observe }
    _ = ReplayDriver.replay(capture.rawSpan, through: &lab.inspector, into: &lab.sink)
    #expect(lab.names == names)
    // After the upgrade aioquic's acknowledgement says version 2 and is protected by version 1's keys: no server opens it.
    #expect(lab.inspector.counters.quicUnopened == (name == "quic-upgrade" ? 1 : 0))
    #expect(lab.inspector.counters.quicNoRoom == 0)
  }

  @Test("and forgotten with its flow")
  func forgotten() {
    var lab = QUICLab()
    lab.send(Builder().packet(hello: "www.allowed.com"))
    #expect(lab.inspector.quicFlowCount == 1)
    lab.wait(seconds: 121)
    #expect(lab.inspector.quicFlowCount == 0)
  }

  @Test("in a capture by the side that proves to be the client, whatever the ports")
  func replayDirection() {
    var lab = QUICLab()
    lab.hook = .replay
    lab.client = "10.88.0.7:4000"
    lab.send(Builder().packet(hello: "www.allowed.com"), to: "93.184.216.10:60000")
    #expect(lab.names == ["www.allowed.com"])
  }

  @Test("never with a trap, whatever bit of a flow's packets is turned")
  func mutated() {
    let message = Builder.hello("www.allowed.com")
    let packets = [
      Builder(source: [1], token: [2], payloadLength: 150).packet(Builder.crypto(message, 0..<100)),
      Builder(packetNumber: 1, payloadLength: 150).packet(Builder.crypto(message, 100..<message.count)),
    ]
    var lab = QUICLab()
    for place in 0..<40 {
      for bit in 0..<8 {
        lab.client.port = UInt16(1_024 + place * 8 + bit)
        for packet in packets {
          var damaged = packet
          damaged[place] ^= 1 << bit
          lab.send(damaged)
          lab.send(Array(packet.prefix(place)))
        }
      }
    }
    #expect(lab.inspector.counters.packets == 40 * 8 * 4)
  }
}
