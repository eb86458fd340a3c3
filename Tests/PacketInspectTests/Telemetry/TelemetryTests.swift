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
    json.member("a\"b", "q\" b\\ n\n r\r t\t z\u{0} d\u{7f} é \u{2028}")
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

  @Test("gives every kind of flag a number of its own")
  func signatures() {
    #expect(Set(FlagKind.allCases.map(\.signatureID)).count == FlagKind.allCases.count)
    #expect(FlagKind.allCases.allSatisfy { (1...3).contains($0.severity) })
  }
}
