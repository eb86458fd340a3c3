import TestSupport
import Testing

@testable import PacketInspect

@Suite("Flags of shape")
struct ShapeFlagTests {
  private static let site: Endpoint = "93.184.216.10:80"

  private func lab() -> InspectorLab {
    var lab = InspectorLab()
    lab.lookUp("www.good.example", "93.184.216.10")
    return lab
  }

  private func shapeFlags(_ lab: InspectorLab) -> [FlagKind] {
    lab.flags.filter { [.encodedPath, .encodedQuery, .encodedHost, .labelBurst].contains($0) }
  }

  @Test("a long encoded token is flagged on the request that carries it, once an hour and destination")
  func request() {
    var lab = lab()
    var corpus = TokenCorpus(seed: 1)
    lab.connect(
      Self.site, sending: PacketInspectTests.request("www.good.example", target: "/a?d=\(corpus.base64url(48))"))
    #expect(shapeFlags(lab) == [.encodedQuery])
    for _ in 0..<50 {
      lab.connect(
        Self.site, sending: PacketInspectTests.request("www.good.example", target: "/a?d=\(corpus.base64url(48))"))
    }
    #expect(shapeFlags(lab) == [.encodedQuery])
    lab.connect(
      Self.site,
      sending: PacketInspectTests.request("www.good.example", target: "/\(TokenCorpus.hex(corpus.text(40)))/x"))
    #expect(shapeFlags(lab) == [.encodedQuery, .encodedPath])
    lab.wait(seconds: 3_700)
    lab.lookUp("www.good.example", "93.184.216.10")
    lab.connect(
      Self.site, sending: PacketInspectTests.request("www.good.example", target: "/a?d=\(corpus.base64url(48))"))
    #expect(shapeFlags(lab).count == 3)
  }

  @Test("the second request of a connection and one cut over segments are looked at just as well")
  func laterRequests() {
    var lab = lab()
    var corpus = TokenCorpus(seed: 2)
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let first = PacketInspectTests.request("www.good.example", target: "/plain")
    lab.send(connection.segment(first))
    #expect(shapeFlags(lab).isEmpty)
    let second = PacketInspectTests.request("www.good.example", target: "/\(TokenCorpus.hex(corpus.text(64)))")
    let offset = UInt32(first.count)
    lab.send(connection.segment(Array(second[..<40]), at: offset))
    #expect(shapeFlags(lab).isEmpty)
    lab.send(connection.segment(Array(second[40...]), at: offset + 40))
    #expect(shapeFlags(lab) == [.encodedPath])
  }

  @Test("nothing is flagged towards the operator's own")
  func `internal`() {
    var lab = InspectorLab()
    var corpus = TokenCorpus(seed: 3)
    lab.connect(
      "10.9.9.9:80", sending: PacketInspectTests.request("wiki.internal", target: "/a?d=\(corpus.base64url(99))"))
    #expect(shapeFlags(lab).isEmpty)
  }

  @Test("names that carry data under one domain are flagged before 4 KB of them have left, once")
  func tunnel() {
    var lab = InspectorLab()
    var corpus = TokenCorpus(seed: 4)
    var sent = 0
    var flaggedAt: Int?
    for _ in 0..<200 {
      let label = TokenCorpus.base32(corpus.bytes(36), lower: true)
      lab.ask("\(label).\(TokenCorpus.base32(corpus.bytes(36), lower: true)).t.tunnel.example")
      sent += 72
      if flaggedAt == nil, lab.flags.contains(.encodedHost) { flaggedAt = sent }
    }
    #expect(flaggedAt ?? .max < 4_096)
    #expect(lab.flags.filter { $0 == .encodedHost }.count == 1)
    #expect(lab.flags.filter { $0 == .labelBurst }.count <= 1)
  }

  @Test("many short names under one domain are a burst; the same few again and again are none")
  func burst() {
    var lab = InspectorLab()
    for number in 0..<2_000 { lab.ask("host\(number % 40).many.example") }
    #expect(lab.flags.isEmpty)
    for number in 0..<400 { lab.ask("h\(number).burst.example") }
    #expect(lab.flags == [.labelBurst])
  }

  @Test("everyday lookups with hashes, addresses and keys in them are not flagged")
  func everyday() {
    var lab = InspectorLab()
    var corpus = TokenCorpus(seed: 5)
    for name in NameShapeTests.ordinary { for _ in 0..<20 { lab.ask(name) } }
    for _ in 0..<15 { lab.ask("\(corpus.hex(32)).avlookup.example") }
    for _ in 0..<400 {
      let octets = (0..<4).map { _ in String(corpus.number(1..<255)) }.joined(separator: ".")
      lab.ask("\(octets).blocklist.example")
    }
    for _ in 0..<100 { lab.ask("\(corpus.hex(16)).cdn\(corpus.number(0..<50)).example") }
    #expect(shapeFlags(lab).isEmpty)
  }

  @Test("a flag's evidence is figures and the registrable domain, never a label or a token")
  func evidence() throws {
    var lab = lab()
    var corpus = TokenCorpus(seed: 6)
    let token = corpus.base64url(60)
    lab.connect(Self.site, sending: PacketInspectTests.request("www.good.example", target: "/a?d=\(token)"))
    for _ in 0..<100 { lab.ask("\(TokenCorpus.base32(corpus.text(36), lower: true)).t.tunnel.example") }
    let kinds = lab.events.compactMap { event -> ReviewFlag? in
      if case .alert(let flag) = event.body { flag } else { nil }
    }
    let query = try #require(kinds.first { $0.kind == .encodedQuery })
    #expect(query.evidence.contains(FlagEvidence("characters", 80)))
    #expect(query.evidence.contains(FlagEvidence("encoding", "base64url")))
    let tunnel = try #require(kinds.first { $0.kind == .encodedHost })
    #expect(tunnel.evidence.contains(FlagEvidence("domain", "tunnel.example")))
    for flag in kinds { #expect(!"\(flag)".contains(String(token.prefix(12)))) }
  }
}
