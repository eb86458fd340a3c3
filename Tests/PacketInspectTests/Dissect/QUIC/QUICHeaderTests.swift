import Testing

@testable import PacketInspect

@Suite("QUIC headers")
struct QUICHeaderTests {
  @Test("of both generations are read to the same parts", arguments: [1, 0x6b33_43cf, 0xff00_001d] as [UInt32])
  func parts(version: UInt32) throws {
    let builder = QUICInitialBuilder(version: version, source: [1, 2, 3], token: [9, 9], packetNumberLength: 2)
    let packet = builder.packet(hello: "a.example")
    let header = try QUICLongHeader(packet.rawSpan, at: 0)
    #expect(header.type == .initial)
    #expect(header.version.wireValue == version)
    #expect(header.destination.bytes == builder.destination)
    #expect(header.source.bytes == [1, 2, 3])
    #expect(header.end == packet.count)
    #expect(header.packetNumberOffset == builder.header(payload: 0).count - 2)
  }

  @Test("number the types of version 2 anew")
  func types() throws {
    for (version, bits, type) in [
      (1, 0, .initial), (1, 1, .zeroRTT), (1, 2, .handshake), (0x6b33_43cf, 1, .initial), (0x6b33_43cf, 2, .zeroRTT),
      (0x6b33_43cf, 3, .handshake), (1, 3, .retry), (0x6b33_43cf, 0, .retry),
    ] as [(UInt32, UInt8, QUICPacketType)] {
      let packet = [0xc0 | bits << 4] + PacketBuilder.be32(version) + [1, 7, 0, 0, 0, 0]
      #expect(try QUICLongHeader(packet.rawSpan, at: 0).type == type)
    }
  }

  @Test("that lie about a length are refused")
  func lies() {
    let id = [UInt8](repeating: 1, count: 21)
    let start: [UInt8] = [0xc0, 0, 0, 0, 1]
    for (rest, error) in [
      ([21] + id + [0, 0, 0], ParseError.badLength), ([0, 21] + id, .badLength), ([8, 1, 2], .truncated),
      ([0, 0, 0x80, 0, 0xff, 0xff], .badLength), ([0, 0, 0, 0x7f, 0xff, 1], .badLength),
      ([0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], .badLength), ([0, 0, 0], .truncated),
    ] as [([UInt8], ParseError)] {
      let packet = start + rest
      #expect(throws: error) { try QUICLongHeader(packet.rawSpan, at: 0) }
    }
  }

  @Test("of short form, of version negotiation and of unreadable versions are told apart from readable ones")
  func others() {
    func mayBegin(_ bytes: [UInt8]) -> Bool { QUICDatagram.mayBeginConnection(bytes.rawSpan) }
    func unreadable(_ bytes: [UInt8]) -> UInt32? { QUICDatagram.unreadableVersion(of: bytes.rawSpan) }
    let rest = [8] + [UInt8](repeating: 1, count: 1_300)
    #expect(!mayBegin([0x40, 0, 0, 0, 1] + rest))
    #expect(!mayBegin([0xc0, 0, 0, 0, 0] + rest))
    #expect(!mayBegin([0xc0, 0, 0, 0, 1]))
    #expect(mayBegin([0xc0, 0, 0, 0, 1] + rest))
    #expect(mayBegin([0x80, 0, 0, 0, 1] + rest))
    #expect(unreadable([0xc0, 0xba, 0xba, 0xba, 0xba] + rest) == 0xbaba_baba)
    #expect(unreadable([0xc0, 0, 0, 0, 1] + rest) == nil)
    #expect(unreadable([0xc0, 0, 0, 0, 0] + rest) == nil)
    #expect(unreadable([0x80, 0xba, 0xba, 0xba, 0xba] + rest) == nil)
    #expect(unreadable([0xc0, 0xba, 0xba, 0xba, 0xba, 4] + rest) == nil)
    #expect(unreadable(Array(([0xc0, 0xba, 0xba, 0xba, 0xba] + rest).prefix(1_199))) == nil)
  }

  @Test("have a version that is written as its digits or as the word it spells")
  func versionText() {
    #expect(QUICVersion.text(1) == "1")
    #expect(QUICVersion.text(0x6b33_43cf) == "6b3343cf")
    #expect(QUICVersion.text(0x5130_3530) == "Q050")
    #expect(QUICVersion.text(0xff00_001d) == "ff00001d")
  }
}
