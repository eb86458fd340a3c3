import Testing

@testable import PacketInspect

@Suite("HTTP/2 in the clear")
struct HTTP2JudgementTests {
  private static let site: Endpoint = "93.184.216.10:80"

  private func names(_ lab: InspectorLab) -> [String] {
    lab.events.compactMap { if case .http(let head) = $0.body { head.destinationName?.text } else { nil } }
  }

  @Test("names the destination of each request, and charges it")
  func destinations() {
    var lab = InspectorLab()
    lab.lookUp("one.example", "93.184.216.10")
    lab.lookUp("two.example", "93.184.216.10")
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let bytes =
      HTTP2Builder.opening + HTTP2Builder.get("one.example:80")
      + HTTP2Builder.frame(0, stream: 1, [UInt8](repeating: 0, count: 2_000))
      + HTTP2Builder.get("two.example", stream: 3)
    var offset = 0
    while offset < bytes.count {
      let end = min(bytes.count, offset + 100)
      #expect(lab.send(connection.segment(Array(bytes[offset..<end]), at: UInt32(offset))).action == .accept)
      offset = end
    }
    #expect(names(lab) == ["one.example", "two.example"])
    #expect(lab.destination?.key == "two.example" && lab.destination?.evidence == .host)
    #expect(lab.destination?.resolution == .matched)
    #expect(lab.flags.isEmpty)
  }

  @Test("is refused at the header block that names a denied host, the first or a later one")
  func denied() {
    for isFirst in [true, false] {
      var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
      let connection = TCPClient(Self.site)
      lab.open(connection)
      let opening = HTTP2Builder.opening + (isFirst ? [] : HTTP2Builder.get("one.example"))
      #expect(lab.send(connection.segment(opening)).action == .accept)
      let later = HTTP2Builder.get("sub.denied.net", stream: 3)
      let cut = later.count - 1
      #expect(lab.send(connection.segment(Array(later[..<cut]), at: UInt32(opening.count))).action == .accept)
      let verdict = lab.send(connection.segment([later[cut]], at: UInt32(opening.count + cut)))
      #expect(verdict.action == .reject && verdict.reason == .deniedName)
    }
  }

  @Test("goes on to be read through a table that the client fills")
  func dynamicTable() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let first =
      HTTP2Builder.opening
      + HTTP2Builder.frame(
        1, flags: 5, stream: 1,
        [0x82, 0x86, 0x84] + HTTP2Builder.literal("x", "1", indexed: true)
          + HTTP2Builder.literal(":authority", "denied.net", indexed: true).dropLast(11)
          + HTTP2Builder.string("good.example"))
    #expect(lab.send(connection.segment(first)).action == .accept)
    // The name of entry 62, with a value of its own.
    let second = HTTP2Builder.frame(
      1, flags: 5, stream: 3, [0x82, 0x86, 0x84, 0x7e] + HTTP2Builder.string("denied.net"))
    #expect(lab.send(connection.segment(second, at: UInt32(first.count))).reason == .deniedName)
    #expect(names(lab) == ["good.example", "denied.net"])
  }

  @Test("is read after an upgrade from HTTP/1.1")
  func upgrade() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    let connection = TCPClient(Self.site)
    lab.open(connection)
    let upgrade = request("one.example", more: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n")
    #expect(lab.send(connection.segment(upgrade)).action == .accept)
    lab.send(connection.answered(at: UInt32(upgrade.count)))
    let rest = HTTP2Builder.opening + HTTP2Builder.get("denied.net", stream: 3)
    for (offset, byte) in rest.dropLast().enumerated() {
      #expect(lab.send(connection.segment([byte], at: UInt32(upgrade.count + offset))).action == .accept)
    }
    let last = UInt32(upgrade.count + rest.count - 1)
    #expect(lab.send(connection.segment([rest[rest.count - 1]], at: last)).reason == .deniedName)
  }

  @Test("is refused where it cannot be read any more")
  func broken() {
    var lab = InspectorLab()
    let verdict = lab.connect(
      Self.site, sending: HTTP2Builder.opening + HTTP2Builder.frame(1, flags: 5, stream: 1, [0x82, 0xbf]))
    #expect(verdict.action == .reject && verdict.reason == .helloIncomplete)
    #expect(lab.connect(Self.site, sending: HTTP2Builder.opening).action == .accept)
  }

  @Test("has the header block without an end refused at the limit")
  func endless() {
    var lab = InspectorLab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    var bytes = HTTP2Builder.opening + HTTP2Builder.frame(1, stream: 1, [0x82])
    while bytes.count < 20_000 { bytes += HTTP2Builder.frame(9, stream: 1, [UInt8](repeating: 0x82, count: 1_000)) }
    var verdict = Verdict(.accept, .undecided)
    for offset in stride(from: 0, to: bytes.count, by: 1_000) {
      verdict = lab.send(
        connection.segment(Array(bytes[offset..<min(offset + 1_000, bytes.count)]), at: UInt32(offset)))
    }
    #expect(verdict.action == .reject && verdict.reason == .helloIncomplete)
  }

  @Test("carries uploads of any size and many requests without an answer being seen")
  func bulk() {
    var lab = InspectorLab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    var offset: UInt32 = 0
    func send(_ bytes: [UInt8], _ lab: inout InspectorLab) {
      #expect(lab.send(connection.segment(bytes, at: offset)).action == .accept)
      offset += UInt32(bytes.count)
    }
    send(HTTP2Builder.opening + HTTP2Builder.get("one.example"), &lab)
    for _ in 0..<300 { send(HTTP2Builder.frame(0, stream: 1, [UInt8](repeating: 7, count: 1_000)), &lab) }
    for index in 1...40 { send(HTTP2Builder.get("one.example", stream: UInt32(2 * index + 1)), &lab) }
    #expect(names(lab).count == 41)
    #expect(lab.inspector.heldStreamBytes < 10_000)
  }

  @Test("has a header block whose second copy differs refused")
  func overlap() {
    var lab = InspectorLab()
    let connection = TCPClient(Self.site)
    lab.open(connection)
    lab.send(connection.segment(HTTP2Builder.opening))
    let place = UInt32(HTTP2Builder.opening.count)
    lab.send(connection.segment(HTTP2Builder.get("good.example"), at: place))
    #expect(lab.send(connection.segment(HTTP2Builder.get("evil.example"), at: place)).reason == .evasion)
  }
}
