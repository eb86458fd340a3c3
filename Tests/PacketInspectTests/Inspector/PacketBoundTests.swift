import Testing

@testable import PacketInspect
@testable import nfq_egressd

/// What one packet may cost, whatever it holds.
@Suite("The work of one packet is bounded")
struct PacketBoundTests {
  static let web: Endpoint = "93.184.216.10:80"
  static let resolver: Endpoint = "93.184.216.53:53"
  /// Requests or questions to a harmless name, and one to a denied one behind them.
  static let kinds: [Kind] = [
    Kind(name: "requests", server: web, limit: 64, opening: []) { name, _ in request(name) },
    Kind(name: "questions", server: resolver, limit: 64, opening: []) { name, number in
      let message = DNSBuilder(id: UInt16(number), questions: [DNSBuilder.question(DNSBuilder.name(name))]).bytes
      return PacketBuilder.be16(UInt16(message.count)) + message
    },
    Kind(name: "header blocks", server: web, limit: 128, opening: HTTP2Builder.opening) { name, number in
      HTTP2Builder.get(name, stream: UInt32(2 * number + 1))
    },
  ]

  struct Kind: Sendable, CustomTestStringConvertible {
    var name: String
    var server: Endpoint
    var limit: Int
    var opening: [UInt8]
    var message: @Sendable (String, Int) -> [UInt8]
    var testDescription: String { name }

    /// So many harmless ones, and a denied one if asked for.
    func bytes(_ count: Int, denied: Bool) -> [UInt8] {
      let harmless = (0..<count).flatMap { message("good.example", $0) }
      return opening + harmless + (denied ? message("denied.net", count) : [])
    }
  }

  private func lab(_ mode: Mode = .enforce) -> InspectorLab {
    InspectorLab(TestPolicy(mode: mode, denied: ["denied.net"]))
  }

  @Test(
    "as many messages as are judged in one packet are accepted, and a denied one among them refused", arguments: kinds)
  func atTheLimit(kind: Kind) {
    for denied in [false, true] {
      var lab = lab()
      let connection = TCPClient(kind.server)
      lab.open(connection)
      let verdict = lab.send(connection.segment(kind.bytes(kind.limit - (denied ? 1 : 0), denied: denied)))
      #expect(verdict.action == (denied ? .reject : .accept) && verdict.reason != .evasion)
      #expect(!lab.flags.contains(.evasion))
    }
  }

  @Test(
    "one more in the same packet refuses the flow, whatever it names: a denied one does not slip through",
    arguments: kinds)
  func beyondTheLimit(kind: Kind) {
    for denied in [false, true] {
      var lab = lab()
      let connection = TCPClient(kind.server)
      lab.open(connection)
      let bytes = kind.bytes(kind.limit + (denied ? 0 : 1), denied: denied)
      #expect(lab.send(connection.segment(bytes)) == Verdict(.reject, .evasion, scope: .flow))
      #expect(lab.send(connection.segment(request("good.example"), at: UInt32(bytes.count))).action == .reject)
      #expect(lab.flags.filter { $0 == .evasion }.count == 1)
      #expect(lab.inspector.streamCount == 0)
    }
  }

  @Test("as many again in the next packet, once the first are answered, are all judged", arguments: kinds)
  func nextPacket(kind: Kind) {
    var lab = lab()
    let connection = TCPClient(kind.server)
    lab.open(connection)
    let first = kind.bytes(kind.limit, denied: false)
    let second = Array(kind.bytes(kind.limit - 1, denied: true).dropFirst(kind.opening.count))
    #expect(lab.send(connection.segment(first)).action == .accept)
    lab.send(connection.answered(at: UInt32(first.count)))
    #expect(lab.send(connection.segment(second, at: UInt32(first.count))).reason == .deniedName)
  }

  @Test("observing, a crowded packet is flagged once and costs no more", arguments: kinds)
  func observed(kind: Kind) {
    var lab = lab(.observe)
    let connection = TCPClient(kind.server)
    lab.open(connection)
    let bytes = kind.bytes(500, denied: true)
    #expect(lab.send(connection.segment(bytes)).action == .accept)
    #expect(lab.send(connection.segment(bytes, at: UInt32(bytes.count))).action == .accept)
    #expect(lab.flags.filter { $0 == .evasion }.count == 1)
    #expect(lab.inspector.streamCount == 0)
    let judged = lab.events.filter {
      switch $0.body {
      case .http, .dnsQuery: true
      default: false
      }
    }
    #expect(judged.count == kind.limit)
  }

  @Test("frames of HTTP/2 that name nobody are passed over together, wherever the packets cut them")
  func namelessFrames() {
    let frames =
      HTTP2Builder.frame(4, flags: 1, []) + HTTP2Builder.frame(0, stream: 1, [UInt8](repeating: 1, count: 21))
      + HTTP2Builder.frame(8, stream: 1, [0, 0, 1, 0])
    let bytes =
      HTTP2Builder.opening + HTTP2Builder.get("good.example") + frames + frames + frames
      + HTTP2Builder.get("denied.net", stream: 3)
    for cut in 1..<bytes.count {
      var lab = lab()
      let connection = TCPClient(Self.web)
      lab.open(connection)
      #expect(lab.send(connection.segment(Array(bytes[..<cut]))).action == .accept)
      #expect(
        lab.send(connection.segment(Array(bytes[cut...]), at: UInt32(cut))).reason == .deniedName, "cut at \(cut)")
    }
  }

  @Test("an answer teaches a bounded number of names for addresses, however it multiplies aliases and addresses")
  func bindings() {
    var lab = lab()
    let names = (0..<16).map { "n\($0).example" }
    let aliases = (0..<15).map { InspectorLab.alias(names[$0], names[$0 + 1]) }
    let addresses = (0..<240).map { InspectorLab.record(names[15], "93.184.\(220 + $0 / 200).\($0 % 200)") }
    let asked = lab.ask(names[0])
    lab.answer(names[0], aliases + addresses, to: asked.client)
    #expect(lab.inspector.memory.nameCount == 256)
    #expect(lab.inspector.memory.corroborates(host(names[0]), address: address("93.184.220.0"), at: lab.now))
  }

  @Test("answers over TCP beyond as many as anybody has under way teach nothing")
  func answers() {
    var lab = lab()
    let connection = TCPClient(Self.resolver)
    lab.open(connection)
    func message(_ number: Int, isAnswer: Bool) -> [UInt8] {
      let name = "n\(number).example"
      let message = DNSBuilder(
        id: UInt16(number), flags: isAnswer ? 0x8180 : 0x0100, questions: [DNSBuilder.question(DNSBuilder.name(name))],
        answers: isAnswer ? [InspectorLab.record(name, "93.184.216.10")] : []
      ).bytes
      return PacketBuilder.be16(UInt16(message.count)) + message
    }
    for half in [0..<40, 40..<80] {
      let offset = (0..<half.lowerBound).reduce(0) { $0 + message($1, isAnswer: false).count }
      lab.send(connection.segment(half.flatMap { message($0, isAnswer: false) }, at: UInt32(offset)))
    }
    let all = (0..<80).flatMap { message($0, isAnswer: true) }
    lab.send(
      PacketBuilder.tcp(
        from: Self.resolver, to: connection.client, flags: [.psh, .ack], sequence: 9_001, acknowledgement: 1_001,
        payload: all))
    let answered = lab.events.filter { if case .dnsAnswer = $0.body { true } else { false } }
    #expect(answered.count == 64)
  }
}

/// Counts what is asked of the library.
private final class CountingQUIC: QUICCryptography, @unchecked Sendable {
  private let library = QUICInitialBuilder.cryptography()
  // One thread, as an inspector has.
  private(set) var derived = 0
  private(set) var opened = 0

  func clientInitialKeys(version: QUICVersion, destinationConnectionID: [UInt8]) -> QUICInitialKeys? {
    derived += 1
    return library.clientInitialKeys(version: version, destinationConnectionID: destinationConnectionID)
  }

  func headerProtectionMask(_ keys: QUICInitialKeys, sample: RawSpan) -> [UInt8]? {
    library.headerProtectionMask(keys, sample: sample)
  }

  func open(
    _ keys: QUICInitialKeys, packetNumber: UInt64, header: [UInt8], payload: RawSpan, into plain: inout [UInt8]
  ) -> Bool {
    opened += 1
    return library.open(keys, packetNumber: packetNumber, header: header, payload: payload, into: &plain)
  }
}

@Suite("The work of one QUIC datagram is bounded")
struct QUICBoundTests {
  private func id(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255), 3, 4, 5, 6, 7, 8] }

  /// A lab with as many connections on its socket as are remembered.
  private func crowdedLab(_ cryptography: CountingQUIC) -> QUICLab {
    var lab = QUICLab()
    lab.inspector = Inspector(
      policy: QUICLab.policy(epoch: 1), domains: QUICLab.Suffixes(), quicCryptography: cryptography)
    for number in 0..<15 {
      lab.send(QUICInitialBuilder(destination: id(number)).packet(hello: "www.allowed.com"))
    }
    return lab
  }

  /// Eight Initial packets that nobody's keys open.
  private func unknown(_ first: Int) -> [UInt8] {
    (first..<first + 8).flatMap { QUICInitialBuilder(destination: id($0), keyID: [1], payloadLength: 100).packet([0]) }
  }

  @Test("keys are derived once a connection, and tried a bounded number of times on a datagram")
  func openings() {
    let cryptography = CountingQUIC()
    var lab = crowdedLab(cryptography)
    lab.wait(seconds: 2)
    #expect(cryptography.derived == 15)
    let before = cryptography.opened
    #expect(lab.send(unknown(1_000)).action == .drop)
    // A number that was cut short may be tried as two.
    #expect(cryptography.opened - before <= 2 * QUICFlow.maximumOpenings)
    #expect(cryptography.opened - before >= QUICFlow.maximumOpenings)
    #expect(cryptography.derived <= QUICFlow.maximumConnections)
  }

  @Test("keys are tried a bounded number of times in a second; a denied hello behind that is refused in the next")
  func openingsOfASecond() {
    let cryptography = CountingQUIC()
    var lab = crowdedLab(cryptography)
    lab.wait(seconds: 2)
    let before = cryptography.opened
    for number in 0..<40 { lab.send(unknown(1_000 + 8 * number)) }
    #expect(cryptography.opened - before <= 2 * QUICFlow.maximumOpeningsPerSecond)
    let denied = QUICInitialBuilder(destination: id(3), packetNumber: 1)
    let message = QUICInitialBuilder.hello("www.allowed.com")
    let again = QUICInitialBuilder.hello("denied.net")
    let frame = [6] + QUICInitialBuilder.variable(message.count) + QUICInitialBuilder.variable(again.count) + again
    #expect(lab.send(denied.packet(frame)) == Verdict(.drop, .undecided, scope: .packet))
    lab.wait(seconds: 1)
    #expect(lab.send(denied.packet(frame)) == Verdict(.reject, .deniedName))
  }
}
