import Testing

@testable import PacketInspect

@Suite("What a flow adds up to")
struct FlowTrafficTests {
  @Test("is received as far as the client acknowledges it, over the end of sequence numbers, and backwards never")
  func acknowledgements() {
    var traffic = FlowTraffic()
    traffic.noteAcknowledgement(0xffff_ff00)
    #expect(traffic.acknowledged == 0)
    traffic.noteAcknowledgement(0x0000_0100)
    #expect(traffic.acknowledged == 0x200)
    traffic.noteAcknowledgement(0xffff_ff80)
    traffic.noteAcknowledgement(0x0000_0100)
    #expect(traffic.acknowledged == 0x200)
    // No receiver's window is that large.
    traffic.noteAcknowledgement(0x0000_0100 &+ 0x4000_0001)
    #expect(traffic.acknowledged == 0x200)
    for step in 1...16 { traffic.noteAcknowledgement(0x100 &+ UInt32(step) &* 0x3000_0000) }
    #expect(traffic.acknowledged == 0x200 + 16 * 0x3000_0000)
  }

  @Test("takes no more room than a million flows allow")
  func size() {
    #expect(MemoryLayout<FlowState>.stride <= 192, "\(MemoryLayout<FlowState>.stride)")
  }

  @Test("is a session's own only once there is something")
  func sessionSize() {
    #expect(MemoryLayout<SessionTraffic>.stride <= 600, "\(MemoryLayout<SessionTraffic>.stride)")
  }
}

@Suite("Recognising what is not read")
struct OpaqueRecogniserTests {
  @Test(
    "goes by first bytes and ports",
    arguments: [
      ("SSH-2.0-x\r\n", 22, ProtocolClass.ssh), ("EHLO a\r\n", 587, .smtp), ("helo a\r\n", 25, .smtp),
      ("USER a\r\n", 21, .ftp), ("USER a\r\n", 9_999, .opaqueTCP), ("NICK a\r\n", 80, .irc),
      ("USER a\r\n", 6_667, .irc),
      ("SSH", 22, .opaqueTCP), ("\u{1}\u{2}", 4_444, .opaqueTCP),
    ])
  func streams(text: String, port: UInt16, expected: ProtocolClass) {
    #expect(OpaqueRecogniser.stream(Array(text.utf8).rawSpan, port: port) == expected)
  }

  @Test("takes STUN by its cookie, the clock by port and length")
  func datagrams() {
    let stun: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] + [UInt8](repeating: 7, count: 12)
    #expect(OpaqueRecogniser.datagram(stun.rawSpan, port: 9) == .stun)
    #expect(OpaqueRecogniser.datagram(Array(stun.dropLast()).rawSpan, port: 9) == .opaqueUDP)
    let clock = [0x23] + [UInt8](repeating: 0, count: 47)
    #expect(OpaqueRecogniser.datagram(clock.rawSpan, port: 123) == .ntp)
    #expect(OpaqueRecogniser.datagram(clock.rawSpan, port: 124) == .opaqueUDP)
  }

  @Test("has a word for each class, and back")
  func words() {
    for proto in ProtocolClass.allCases { #expect(ProtocolClass(word: proto.word) == proto) }
    #expect(ProtocolClass(word: "gopher") == nil)
  }
}
