import Testing

@testable import PacketInspect

@Suite("What flows and sessions show over time")
struct TrafficTests {
  private static let kinds: Set<FlagKind> = [
    .uploadHeavy, .uploadVolume, .beacon, .drip, .newProtocol, .addressLiteral, .oddPort,
  ]

  /// A connection to a looked-up name whose hello was answered and whose handshake is over.
  private func greeted(
    _ lab: inout InspectorLab, _ name: String = "drop.example", _ server: Endpoint = "93.184.216.10:443"
  )
    -> TCPClient
  {
    lab.lookUp(name, server.address.description)
    let connection = TCPClient(server, from: lab.freshEndpoint())
    lab.open(connection)
    lab.send(connection.segment(hello(name)))
    lab.send(connection.answered(3_000, at: 600))
    return connection
  }

  /// Sends so many bytes in large segments; the server acknowledges nothing but with `back` bytes at the end.
  private func upload(_ lab: inout InspectorLab, _ connection: TCPClient, _ bytes: Int, back: UInt32 = 3_000) {
    var left = bytes
    let empty = PacketBuilder.tcp(
      from: connection.client, to: connection.server, sequence: 5_000,
      acknowledgement: connection.acknowledged &+ back)
    while left > 0 {
      lab.sendClaiming(empty, payload: min(left, 60_000))
      left -= 60_000
    }
  }

  private func mine(_ lab: InspectorLab) -> [FlagKind] { lab.flags.filter { Self.kinds.contains($0) } }

  @Test("an upload is told while it goes on, by what the client acknowledges, at the threshold and not before")
  func uploadHeavy() {
    var lab = InspectorLab()
    let connection = greeted(&lab)
    upload(&lab, connection, 49_900_000)
    #expect(mine(lab).isEmpty)
    upload(&lab, connection, 200_000)
    #expect(mine(lab) == [.uploadHeavy])
    let flag = lab.raised.last
    #expect(flag?.evidence.contains(FlagEvidence("bytes_in", 3_000)) == true)
    #expect(flag?.evidence.contains(FlagEvidence("rests_on", "acknowledgements")) == true)
    #expect(lab.events.last?.destination?.key == "drop.example")
    #expect(lab.events.last?.flow?.server == address("93.184.216.10"))
    upload(&lab, connection, 100_000_000)
    #expect(mine(lab) == [.uploadHeavy])
  }

  @Test("a download with many acknowledgements is no upload, nor is an exchange of equals")
  func download() {
    var lab = InspectorLab()
    let connection = greeted(&lab)
    for step in 1...400 { lab.send(connection.answered(UInt32(step) * 1_000_000, at: 600)) }
    upload(&lab, connection, 60_000_000, back: 400_000_000)
    #expect(mine(lab).isEmpty)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    guard case .flow(let summary)? = lab.events.last?.body, let shape = summary.shape else {
      Issue.record("no flow event")
      return
    }
    #expect(shape.proto == .tls && shape.naming == .name)
    #expect(shape.received == 400_000_000)
    #expect(shape.sent >= 60_000_000 && shape.sent < 60_001_000)
  }

  @Test("prompts on one lasting connection to a model are no upload, one that is as large is")
  func services() {
    for (size, isFlagged) in [(600_000, false), (50_000_000, true)] {
      var lab = InspectorLab()
      let connection = greeted(&lab, "api.anthropic.com")
      for turn in 0..<100 where isFlagged == false || turn == 0 {
        lab.wait(seconds: 10)
        upload(&lab, connection, size, back: UInt32(3_000 + turn * 2_000))
      }
      #expect(mine(lab) == (isFlagged ? [.uploadHeavy] : []))
    }
    // To anybody else such turns add up.
    var lab = InspectorLab()
    let connection = greeted(&lab)
    for turn in 0..<100 {
      lab.wait(seconds: 10)
      upload(&lab, connection, 600_000, back: UInt32(3_000 + turn * 2_000))
    }
    #expect(mine(lab).contains(.uploadHeavy))
  }

  @Test("a request that declares a large body is told at once")
  func declared() {
    for (length, expected) in [(49_999_999, []), (50_000_000, [FlagKind.uploadHeavy])] {
      var lab = InspectorLab()
      lab.lookUp("drop.example", "93.184.216.10")
      lab.connect(
        "93.184.216.10:80", sending: request("drop.example", method: "PUT", more: "Content-Length: \(length)\r\n"))
      #expect(mine(lab) == expected)
    }
  }

  @Test("what a session sends in many flows is its volume, internal addresses apart")
  func volume() {
    var shape = ShapePolicy()
    shape.uploadVolume = 5_000_000
    var lab = InspectorLab()
    lab.setShape(shape)
    for server: Endpoint in ["10.1.1.1:443", "93.184.216.10:443"] {
      for _ in 0..<6 {
        let connection = TCPClient(server, from: lab.freshEndpoint())
        if server.address == address("93.184.216.10") { lab.lookUp("drop.example", "93.184.216.10") }
        lab.open(connection)
        lab.send(connection.segment(hello("drop.example")))
        lab.send(connection.answered(3_000, at: 600))
        upload(&lab, connection, 1_000_000, back: 900_000)
      }
      lab.inspector.finish(now: lab.now, into: &lab.sink)
      #expect(mine(lab) == (server.address == address("10.1.1.1") ? [] : [.uploadVolume]))
    }
    // A flag on a session has no addresses.
    let told = lab.events.first { if case .alert(let flag) = $0.body { flag.kind == .uploadVolume } else { false } }
    #expect(told != nil && told?.flow == nil)
  }

  @Test("only the client's side of a datagram flow is seen: large ones are an upload, acknowledgements are not")
  func datagrams() {
    for (length, isFlagged) in [(1_250, true), (60, false)] {
      var shape = ShapePolicy()
      shape.uploadBytes = 1_000_000
      shape.protocols.insert(ProtocolSet(.opaqueUDP))
      var lab = InspectorLab()
      lab.setShape(shape)
      let client = lab.freshEndpoint()
      var packet = PacketBuilder.udp(from: client, to: "93.184.216.10:443", payload: [0x40])
      packet[24] = UInt8((8 + length) >> 8)
      packet[25] = UInt8((8 + length) & 255)
      for _ in 0..<(1_100_000 / length) { lab.sendClaiming(packet, payload: length - 1) }
      #expect(mine(lab) == (isFlagged ? [.uploadHeavy] : []))
    }
  }

  @Test("a recognised protocol where it is not usual is told once a port")
  func oddPorts() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.10")
    for port: UInt16 in [443, 8_443, 4_444, 4_444, 4_445] {
      lab.connect(Endpoint(address("93.184.216.10"), port), sending: hello("good.example"))
    }
    #expect(mine(lab) == [.oddPort, .oddPort])
    for port: UInt16 in [80, 8_080, 81] {
      lab.connect(Endpoint(address("93.184.216.10"), port), sending: request("good.example"))
    }
    #expect(mine(lab).count == 3)
    lab.connect("93.184.216.10:23", sending: Array("SSH-2.0-x\r\n".utf8))
    #expect(mine(lab).count == 4)
    lab.ask("good.example", to: "93.184.216.54:5300")
    #expect(mine(lab).count == 5)
    // The operator's own may listen where they like.
    lab.connect("10.1.1.1:9999", sending: hello("wiki.internal"))
    #expect(mine(lab).count == 5)
    var shape = ShapePolicy()
    shape.ports = [4_446]
    lab.setShape(shape)
    lab.connect("93.184.216.10:4446", sending: hello("good.example"))
    #expect(mine(lab).count == 5)
  }

  @Test("an address that nothing named is told once, with what gave no name")
  func literals() {
    var lab = InspectorLab()
    lab.connect("93.184.216.20:443", sending: TLSHelloBuilder.nameless)
    lab.connect("93.184.216.20:443", sending: TLSHelloBuilder.nameless)
    lab.connect("93.184.216.21:80", sending: request("93.184.216.21"))
    lab.connect("93.184.216.22:80", sending: request("93.184.216.22:80"))
    #expect(mine(lab) == [.addressLiteral, .addressLiteral, .addressLiteral])
    // A false name is another flag; a looked-up name is none; nor are the clock, a ping or a shell.
    lab.connect("93.184.216.23:443", sending: hello("good.example"))
    lab.lookUp("fine.example", "93.184.216.24")
    lab.connect("93.184.216.24:443", sending: TLSHelloBuilder.nameless)
    lab.connect("93.184.216.25:22", sending: Array("SSH-2.0-x\r\n".utf8))
    lab.send(PacketBuilder.icmp(from: address("10.88.0.7"), to: address("93.184.216.26"), type: 8))
    lab.send(
      PacketBuilder.udp(
        from: lab.freshEndpoint(), to: "93.184.216.27:123", payload: [0x23] + [UInt8](repeating: 0, count: 47)))
    lab.connect("10.1.1.1:443", sending: TLSHelloBuilder.nameless)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(mine(lab) == [.addressLiteral, .addressLiteral, .addressLiteral])
  }

  @Test("a protocol that the type is not expected to speak is told once")
  func newProtocols() {
    var lab = InspectorLab()
    lab.lookUp("good.example", "93.184.216.30")
    lab.connect("93.184.216.30:25", sending: Array("EHLO x\r\n".utf8))
    #expect(mine(lab) == [.newProtocol])
    lab.connect("93.184.216.30:6667", sending: Array("NICK x\r\n".utf8))
    #expect(mine(lab).count == 2)
    for number in 0..<5 {
      let client = lab.freshEndpoint()
      for _ in 0...number {
        lab.send(PacketBuilder.udp(from: client, to: "93.184.216.30:9999", payload: [1, 2, 3]))
      }
    }
    lab.send(
      PacketBuilder.ip(from: address("10.88.0.7"), to: address("93.184.216.30"), IPProtocol(rawValue: 47), [1]))
    #expect(mine(lab).count == 3)
    lab.inspector.finish(now: lab.now, into: &lab.sink)
    #expect(mine(lab).count == 4)
    let words = lab.raised.flatMap(\.evidence).filter { $0.name == "protocol" }.map(\.value)
    #expect(words == [.text("smtp"), .text("irc"), .text("other-ip"), .text("opaque-udp")])
  }

  @Test("a stream that becomes TLS is no unknown protocol, one that does not is told at its end")
  func startTLS() {
    for isUpgraded in [true, false] {
      var lab = InspectorLab()
      lab.lookUp("db.example", "93.184.216.30")
      let connection = TCPClient("93.184.216.30:5432", from: lab.freshEndpoint())
      lab.open(connection)
      let first: [UInt8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]
      lab.send(connection.segment(first))
      lab.send(connection.segment(isUpgraded ? hello("db.example") : [9, 9, 9], at: 8))
      #expect(mine(lab).isEmpty)
      lab.inspector.finish(now: lab.now, into: &lab.sink)
      #expect(mine(lab) == (isUpgraded ? [] : [.newProtocol]))
    }
  }

  @Test("echo requests that carry much are another protocol than a ping")
  func bulkEcho() {
    for (size, count, expected) in [(56, 3_000, []), (1_000, 20, [FlagKind.newProtocol])] {
      var lab = InspectorLab()
      for _ in 0..<count {
        lab.send(
          PacketBuilder.icmp(
            from: address("10.88.0.7"), to: address("93.184.216.26"), type: 8,
            payload: [UInt8](repeating: 7, count: size)))
      }
      #expect(mine(lab) == expected)
    }
  }

  @Test("a signal on one lasting connection is a beacon, a keep-alive is not")
  func insideConnection() {
    for (size, expected) in [(300, [FlagKind.beacon]), (45, [])] {
      var lab = InspectorLab()
      let connection = greeted(&lab, "control.example")
      for _ in 0..<80 {
        lab.wait(seconds: 60)
        upload(&lab, connection, size)
      }
      #expect(mine(lab) == expected)
    }
  }

  @Test("a beacon to a category that is polled by nature is none")
  func categories() throws {
    for (name, expected) in [("telemetry", []), ("paste", [FlagKind.beacon])] {
      var parts = TestPolicy().snapshot.parts
      let category = try #require(parts.categories.names.category(named: name))
      let list = parts.categories.addList(CategoryList(source: "test", category: category))
      parts.categories.insert(host("control.example"), list: list, line: 1)
      var lab = InspectorLab()
      lab.inspector.replacePolicy(PolicySnapshot(parts, epoch: 2))
      for _ in 0..<80 {
        let connection = greeted(&lab, "control.example")
        upload(&lab, connection, 300)
        lab.send(connection.segment([], at: 900, flags: [.fin, .ack]))
        lab.wait(seconds: 60)
      }
      #expect(mine(lab) == expected)
    }
  }

  @Test("what is put into a store that the type is expected to use may be four times as large, and no more")
  func stores() throws {
    for (name, isListed, flagsAt50, flagsAt200) in [
      ("cloud-provider", true, false, true), ("cloud-provider", false, true, true), ("paste", true, true, true),
    ] {
      var parts = TestPolicy().snapshot.parts
      let category = try #require(parts.categories.names.category(named: name))
      let api = try #require(parts.categories.names.category(named: "api"))
      let list = parts.categories.addList(CategoryList(source: "test", category: category))
      parts.categories.insert(host("bucket.example"), list: list, line: 1)
      parts.agentTypes["research"]?.mix = MixPolicy(try #require(MixBaseline([isListed ? category : api: 0.9])))
      var lab = InspectorLab()
      lab.inspector.replacePolicy(PolicySnapshot(parts, epoch: 2))
      let connection = greeted(&lab, "bucket.example")
      upload(&lab, connection, 60_000_000)
      #expect(lab.flags.contains(.uploadHeavy) == flagsAt50, "\(name) \(isListed)")
      upload(&lab, connection, 139_000_000)
      #expect(lab.flags.contains(.uploadHeavy) == flagsAt50, "\(name) \(isListed)")
      upload(&lab, connection, 2_000_000)
      #expect(lab.flags.contains(.uploadHeavy) == flagsAt200, "\(name) \(isListed)")
    }
  }

  @Test("files put into many stores are a drip, unless the type is expected to use such stores")
  func smallFilesInStores() throws {
    for isListed in [true, false] {
      var parts = TestPolicy().snapshot.parts
      let category = try #require(parts.categories.names.category(named: "cloud-provider"))
      let api = try #require(parts.categories.names.category(named: "api"))
      let list = parts.categories.addList(CategoryList(source: "test", category: category))
      for number in 0..<40 { parts.categories.insert(host("bucket-\(number).example"), list: list, line: number) }
      parts.agentTypes["research"]?.mix = MixPolicy(try #require(MixBaseline([isListed ? category : api: 0.9])))
      var lab = InspectorLab()
      lab.inspector.replacePolicy(PolicySnapshot(parts, epoch: 2))
      for number in 0..<40 {
        let connection = greeted(&lab, "bucket-\(number).example")
        upload(&lab, connection, 70_000)
        lab.send(connection.segment([], at: 900, flags: [.fin, .ack]))
        lab.wait(seconds: 20)
      }
      lab.inspector.finish(now: lab.now, into: &lab.sink)
      #expect(lab.flags.contains(.drip) == !isListed)
    }
  }

  @Test("who only says that it is a store is none")
  func claimedStore() throws {
    var parts = TestPolicy().snapshot.parts
    let category = try #require(parts.categories.names.category(named: "cloud-provider"))
    let list = parts.categories.addList(CategoryList(source: "test", category: category))
    parts.categories.insert(host("bucket.example"), list: list, line: 1)
    parts.agentTypes["research"]?.mix = MixPolicy(try #require(MixBaseline([category: 0.9])))
    var lab = InspectorLab()
    lab.inspector.replacePolicy(PolicySnapshot(parts, epoch: 2))
    let connection = TCPClient("93.184.216.40:443", from: lab.freshEndpoint())
    lab.open(connection)
    lab.send(connection.segment(hello("bucket.example")))
    lab.send(connection.answered(3_000, at: 600))
    upload(&lab, connection, 60_000_000)
    #expect(lab.flags.contains(.uploadHeavy))
  }

  @Test("hostile lengths and times count for something and stop nothing")
  func hostile() {
    var lab = InspectorLab()
    let connection = greeted(&lab)
    lab.now = Timestamp(nanoseconds: .max - 10)
    upload(&lab, connection, 600_000, back: .max)
    lab.now = Timestamp(nanoseconds: .min + 10)
    upload(&lab, connection, 600_000, back: 5)
    lab.now = Timestamp(seconds: 0)
    upload(&lab, connection, 600_000)
    lab.inspector.finish(now: Timestamp(nanoseconds: .max), into: &lab.sink)
    #expect(lab.inspector.flowCount == 0)
  }
}

@Suite("Simulated sessions")
struct SimulatedSessionTests {
  private static let kinds: Set<FlagKind> = [
    .uploadHeavy, .uploadVolume, .beacon, .drip, .newProtocol, .addressLiteral, .oddPort,
  ]

  @Test("of honest agents raise no flag", arguments: AgentProfile.allCases)
  func honest(profile: AgentProfile) {
    let flags = profile.session(seed: 13, hours: 0.8).flags().filter { Self.kinds.contains($0.kind) }
    #expect(flags.map(\.summary).isEmpty)
  }

  @Test("with an attack in them are told, fast or slow", arguments: Attack.allCases)
  func attacked(attack: Attack) {
    let profiles = AgentProfile.allCases
    let place = Attack.allCases.firstIndex(of: attack) ?? 0
    var traffic = profiles[place % profiles.count].session(seed: 5, hours: 0.2)
    attack.add(to: &traffic)
    #expect(traffic.flags().contains { $0.kind == attack.kind })
  }
}
