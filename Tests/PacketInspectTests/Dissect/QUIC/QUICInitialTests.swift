import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("QUIC Initial packets")
struct QUICInitialTests {
  @Test(
    "of every readable version are opened",
    arguments: [1, 0x6b33_43cf, 0x709a_50c4, 0x5430_3530, 0x5430_3531, 0xface_b001, 0xface_b002, 0xface_b00e]
      + Array(0xff00_0016...0xff00_0022) as [UInt32])
  func versions(version: UInt32) throws {
    let opened = try OpenedInitial(QUICInitialBuilder(version: version).packet(hello: "name.example"))
    #expect(opened.hello.serverName == HostName("name.example"))
  }

  @Test("are opened with packet numbers of every length", arguments: 1...4)
  func packetNumbers(length: Int) throws {
    let opened = try OpenedInitial(
      QUICInitialBuilder(packetNumber: 77, packetNumberLength: length).packet(hello: "a.example"))
    #expect(opened.packetNumber == 77)
  }

  @Test("have numbers that are completed as in RFC 9000 appendix A.3")
  func truncatedNumbers() {
    #expect(QUICInitial.decode(0x9b32, bits: 16, after: 0xa82f_30ea) == 0xa82f_9b32)
    #expect(QUICInitial.decode(0, bits: 8, after: nil) == 0)
    #expect(QUICInitial.decode(0xff, bits: 8, after: nil) == 0xff)
    #expect(QUICInitial.decode(1, bits: 8, after: 255) == 257)
    #expect(QUICInitial.decode(0xffff_ffff, bits: 32, after: (1 << 62) - 2) <= 1 << 62)
    #expect(QUICInitial.decode(0, bits: 32, after: .max) >= 0)
  }

  @Test("with acknowledgements, pings and padding between CRYPTO frames are read")
  func otherFrames() throws {
    let message = QUICInitialBuilder.hello("frames.example")
    var frames: [UInt8] = [0, 1] + QUICInitialBuilder.crypto(message, 30..<message.count) + [2, 5, 0, 1, 0, 1, 1]
    frames += [3, 5, 0, 0, 0, 1, 1, 1, 0, 0] + QUICInitialBuilder.crypto(message, 0..<30) + [1]
    #expect(try OpenedInitial(QUICInitialBuilder().packet(frames)).hello.serverName == HostName("frames.example"))
  }

  @Test("are read up to a frame that they cannot carry")
  func forbiddenFrame() throws {
    let message = QUICInitialBuilder.hello("a.example")
    let before = QUICInitialBuilder.crypto(message) + [0x08, 1, 2, 3]
    #expect(try OpenedInitial(QUICInitialBuilder().packet(before)).hello.serverName == HostName("a.example"))
    let after = [0x08, 1, 2, 3] + QUICInitialBuilder.crypto(message)
    #expect(try OpenedInitial(QUICInitialBuilder().packet(after)).result == .needMore)
  }

  @Test("with frames without end are given up")
  func manyFrames() {
    var stream = CryptoStream()
    let frames = (0...QUICInitial.maximumCryptoFrames).flatMap { _ in [6, 0, 1, 1] as [UInt8] }
    #expect(QUICInitial.collect(frames.rawSpan, into: &stream) == .tooMany)
    // A range count that lies.
    let lying: [UInt8] = [2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1, 1]
    #expect(QUICInitial.collect(lying.rawSpan, into: &stream) == .nothingNew)
  }

  @Test("truncated anywhere never trap and never open")
  func truncated() throws {
    let packet = QUICInitialBuilder(payloadLength: 200).packet(hello: "a.example")
    for length in 0..<packet.count {
      #expect(throws: (any Error).self) { try OpenedInitial(Array(packet.prefix(length))) }
    }
  }

  @Test("with any bit turned never trap, and open only where the bit is outside what is sealed")
  func mutated() throws {
    let packet = QUICInitialBuilder(payloadLength: 200).packet(hello: "a.example")
    for place in 0..<packet.count {
      for bit in 0..<8 {
        var damaged = packet
        damaged[place] ^= 1 << bit
        #expect(throws: (any Error).self) { try OpenedInitial(damaged) }
      }
    }
  }

  @Test("whose opened bytes are anything never trap", arguments: 0..<200)
  func arbitraryFrames(seed: Int) {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    let bytes = (0..<300).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      // Mostly frame types and small numbers, so that reading gets somewhere.
      return UInt8(truncatingIfNeeded: state >> 20) & (state & 3 == 0 ? 0xff : 0x07)
    }
    var stream = CryptoStream()
    _ = QUICInitial.collect(bytes.rawSpan, into: &stream)
    #expect(stream.heldBytes <= CryptoStream.window)
  }
}
