import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("Telemetry")
struct TelemetryTests {
  private func communityID(_ client: Endpoint, _ server: Endpoint, proto: UInt8) throws -> String {
    let flow = EventFlow(
      id: 1, client: client.address, clientPort: client.port, server: server.address, serverPort: server.port,
      proto: proto)
    return CommunityID.text(flow, digest: try LibcryptoDigest())
  }

  @Test("gives the published Community IDs, whichever side is the client")
  func communityIDs() throws {
    let vectors: [(Endpoint, Endpoint, UInt8, String)] = [
      ("128.232.110.120:34855", "66.35.250.204:80", 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
      ("192.168.1.52:54585", "8.8.8.8:53", 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
      (
        "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943", "[2607:f8b0:400c:c03::1a]:25", 6,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="
      ),
    ]
    for (client, server, proto, expected) in vectors {
      #expect(try communityID(client, server, proto: proto) == expected)
      #expect(try communityID(server, client, proto: proto) == expected)
    }
  }

  @Test("writes times as EVE does, before 1970 and on leap days too")
  func times() {
    let cases: [(Int64, String)] = [
      (0, "1970-01-01T00:00:00.000000+0000"),
      (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456+0000"),
      (951_782_400_000_000_000, "2000-02-29T00:00:00.000000+0000"),
      (951_868_799_999_999_999, "2000-02-29T23:59:59.999999+0000"),
      (4_107_542_399_000_000_000, "2100-02-28T23:59:59.000000+0000"),
      (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000+0000"),
      (-1_000, "1969-12-31T23:59:59.999999+0000"),
      (.max, "2262-04-11T23:47:16.854775+0000"),
      (.min, "1677-09-21T00:12:43.145224+0000"),
    ]
    for (nanoseconds, text) in cases { #expect(Timestamp(nanoseconds: nanoseconds).eveText == text) }
  }

  @Test("escapes what JSON must have escaped, so that no name breaks a line")
  func escaping() {
    var json = JSONWriter()
    json.open()
    json.key(foreign: "a\"b")
    json.value("q\" b\\ n\n r\r t\t z\u{0} d\u{7f} é \u{2028}")
    json.key("list")
    json.openArray()
    json.value(1)
    json.value(true)
    json.null()
    json.open()
    json.close()
    json.closeArray()
    json.close()
    #expect(
      String(decoding: json.bytes, as: UTF8.self)
        == #"{"a\"b":"q\" b\\ n\u000a r\u000d t\u0009 z\u0000 d\u007f é "# + "\u{2028}" + #"","list":[1,true,null,{}]}"#
    )
  }

  @Test("writes a name of any bytes as one valid line")
  func oddNames() throws {
    var message = DNSMessage()
    var name = HostName()
    for byte in 0...252 { name.appendLowercased(UInt8(byte)) }
    message.questions = [DNSQuestion(name: name, type: 1, recordClass: 1)]
    let line = EventEncoder(digest: try LibcryptoDigest(), names: .plain).line(
      Event(time: Timestamp(seconds: 0), body: .dnsQuery(message)))
    #expect(line.last == 0x0a)
    #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 < 0x7f })
  }

  @Test("writes numbers of every size and sign")
  func numbers() {
    for number: Int64 in [0, 7, 10, 99, 100, -1, .max, .min] {
      var json = JSONWriter()
      json.value(number)
      #expect(String(decoding: json.bytes, as: UTF8.self) == String(number))
    }
    var json = JSONWriter()
    json.value(UInt64.max)
    #expect(String(decoding: json.bytes, as: UTF8.self) == String(UInt64.max))
  }

  @Test("writes the same line for a flow whose text it still has, and another for another flow in its place")
  func flowTexts() throws {
    let encoder = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
    let client = try #require(IPAddress("10.88.0.7"))
    func line(_ id: UInt64, _ server: String, isReply: Bool = false, by encoder: EventEncoder<LibcryptoDigest>) throws
      -> String
    {
      var event = Event(time: Timestamp(seconds: 0), body: .drop(length: 40))
      event.flow = EventFlow(
        id: id, client: client, clientPort: 40_000, server: try #require(IPAddress(server)), serverPort: 443, proto: 6,
        isReply: isReply)
      var bytes = Array("before".utf8)
      encoder.write(event, to: &bytes)
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.hasPrefix("before{"))
      return text
    }
    // Numbers that share a place, and a number that is told of in both directions.
    for (id, server, isReply) in [
      (1, "93.184.216.10", false), (513, "2606:2800::1", false), (1, "93.184.216.10", false),
      (1, "93.184.216.10", true), (1, "::", false), (1, "1::", true), (1, "1:0:0:2::3", false),
    ] as [(UInt64, String, Bool)] {
      let fresh = EventEncoder(digest: try LibcryptoDigest(), names: .plain)
      let expected = try line(id, server, isReply: isReply, by: fresh)
      #expect(try line(id, server, isReply: isReply, by: encoder) == expected)
      #expect(try line(id, server, isReply: isReply, by: encoder) == expected)
      #expect(expected.contains("\"\(server)\""))
    }
  }

  @Test("gives every kind of flag a number of its own")
  func signatures() {
    #expect(Set(FlagKind.allCases.map(\.signatureID)).count == FlagKind.allCases.count)
    #expect(FlagKind.allCases.allSatisfy { (1...3).contains($0.severity) })
  }
}
