import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("QUIC Initial keys")
struct QUICKeysTests {
  /// The connection ID of both RFCs' examples.
  static let id = hex("8394c8f03e515708")
  /// The CRYPTO frame of RFC 9001 appendix A.2 and RFC 9369 appendix A.2.
  static let helloFrame = hex(
    """
    060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c00000\
    0010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000\
    003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e\
    0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff080110\
    0104800075300901100f088394c8f03e51570806048000ffff
    """)

  @Test(
    "are those of RFC 9001 appendix A.1, RFC 9369 appendix A.1 and the drafts' examples",
    arguments: [
      (1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
      (0x6b33_43cf, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
      (0xff00_001d, "175257a31eb09dea9366d8bb79ad80ba", "6b26114b9cba2b63a9e8dd4f", "9ddd12c994c0698b89374a9c077a3077"),
      (0xff00_0017, "af7fd7efebd21878ff66811248983694", "8681359410a70bb9c92f0420", "a980b8b4fb7d9fbc13e814c23164253d"),
    ] as [(UInt32, String, String, String)])
  func published(version: UInt32, key: String, iv: String, headerKey: String) throws {
    let version = try #require(QUICVersion(version))
    let keys = try LibcryptoQUIC().clientInitialKeys(version: version, destinationConnectionID: Self.id)
    #expect(keys == QUICInitialKeys(key: hex(key), iv: hex(iv), headerProtection: hex(headerKey)))
  }

  @Test("of versions that share a salt are the same, of others different")
  func sharedSalts() throws {
    let library = try LibcryptoQUIC()
    func key(_ version: UInt32) -> [UInt8]? {
      QUICVersion(version).flatMap { library.clientInitialKeys(version: $0, destinationConnectionID: Self.id)?.key }
    }
    #expect(key(0xff00_0020) == key(0xff00_001d))
    #expect(key(0xff00_001c) == key(0xff00_0017))
    #expect(key(0xface_b002) == key(0xff00_0017))
    #expect(key(0xface_b001) == key(0xff00_0016))
    #expect(key(0xff00_0022) == key(1))
    let distinct: [UInt32] = [
      1, 0x6b33_43cf, 0x709a_50c4, 0xff00_001d, 0xff00_0017, 0xff00_0016, 0x5430_3530, 0x5430_3531,
    ]
    #expect(Set(distinct.compactMap(key)).count == distinct.count)
  }

  @Test("mask the header as in RFC 9001 appendix A.2 and RFC 9369 appendix A.2")
  func masks() throws {
    let library = try LibcryptoQUIC()
    for (version, sample, mask) in [
      (1, "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"),
      (0x6b33_43cf, "ffe67b6abcdb4298b485dd04de806071", "94a0c95e80"),
    ] as [(UInt32, String, String)] {
      let version = try #require(QUICVersion(version))
      let keys = try #require(library.clientInitialKeys(version: version, destinationConnectionID: Self.id))
      let sample = hex(sample)
      #expect(library.headerProtectionMask(keys, sample: sample.rawSpan) == hex(mask))
    }
  }

  @Test(
    "open the example packets of RFC 9001 and RFC 9369, whose published bytes the packets here have",
    arguments: [
      (
        1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b",
        "e221af44860018ab0856972e194cd934"
      ),
      (0x6b33_43cf, "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071", nil),
    ] as [(UInt32, String, String?)])
  func examplePackets(version: UInt32, start: String, tag: String?) throws {
    var builder = QUICInitialBuilder(version: version, destination: Self.id, packetNumber: 2, packetNumberLength: 4)
    let packet = builder.packet(Self.helloFrame)
    #expect(packet.count == 1_200)
    #expect(Array(packet.prefix(38)) == hex(start))
    if let tag { #expect(Array(packet.suffix(16)) == hex(tag)) }
    let opened = try OpenedInitial(packet)
    #expect(opened.packetNumber == 2)
    #expect(opened.hello.serverName == HostName("example.com"))
    #expect(opened.hello.alpn == [Array("alpn".utf8)])
    builder.destination[0] ^= 1
    builder.keyID = Self.id
    #expect(throws: ParseError.badValue) { try OpenedInitial(builder.packet(Self.helloFrame)) }
  }

  @Test("cannot be asked for with an empty connection ID too short for a hello's secret, which is no error either")
  func emptyID() throws {
    let version = try #require(QUICVersion(1))
    let keys = try LibcryptoQUIC().clientInitialKeys(version: version, destinationConnectionID: [])
    #expect(keys?.key.count == 16)
  }

  @Test("of an unreadable version do not exist", arguments: [0, 2, 0xff00_0015, 0xff00_0023, 0xbaba_baba, 0x5130_3530])
  func unreadable(version: UInt32) {
    #expect(QUICVersion(version) == nil)
  }
}

/// One Initial packet opened by itself, and its hello.
struct OpenedInitial {
  var packetNumber: UInt64
  var hello = ClientHello()
  var result: StreamDissection

  /// Throws `badValue` when it does not open.
  init(_ packet: [UInt8]) throws {
    let library = try LibcryptoQUIC()
    let header = try QUICLongHeader(packet.rawSpan, at: 0)
    guard
      let keys = library.clientInitialKeys(
        version: header.version, destinationConnectionID: header.destination.bytes)
    else { throw ParseError.badLength }
    var plain: [UInt8] = []
    guard
      let number = QUICInitial.open(
        header, in: packet.rawSpan, keys: keys, largest: nil, by: library, into: &plain)
    else { throw ParseError.badValue }
    packetNumber = number
    var stream = CryptoStream()
    _ = QUICInitial.collect(plain.rawSpan, into: &stream)
    var hello = ClientHello()
    result = stream.withUnparsed { TLSHello.parseMessage($0, into: &hello) }
    self.hello = hello
  }
}
