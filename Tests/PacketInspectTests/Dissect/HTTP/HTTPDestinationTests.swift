import PacketInspect
import Testing

/// The head of `line` and `fields`, which must be complete.
private func head(_ line: String, _ fields: String...) -> HTTPRequestHead {
  var head = HTTPRequestHead()
  let bytes = Array((line + "\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n").utf8)
  let outcome = HTTPRequestHead.parse(bytes.rawSpan, into: &head)
  #expect(outcome == .complete(length: bytes.count))
  return head
}

@Suite("HTTP destinations")
struct HTTPDestinationTests {
  @Test(
    "a Host gives name and port",
    arguments: [
      ("a.example", "a.example", nil), ("A.EXAMPLE.:80", "a.example", 80), ("[2001:db8::1]", "2001:db8::1", nil),
      ("[::1]:8443", "::1", 8443), ("::1", "::1", nil), ("192.0.2.7:1", "192.0.2.7", 1),
      ("a.example:", "a.example", nil),
    ] as [(String, String, UInt16?)])
  func host(value: String, name: String, port: UInt16?) {
    let result = head("GET / HTTP/1.1", "Host: \(value)")
    #expect(result.host == HostName(name))
    #expect(result.port == port)
    #expect(!result.oddities.contains(.ambiguousHost))
  }

  @Test(
    "a Host that servers read in different ways is marked",
    arguments: [
      ("good.example@bad.example", "bad.example"), ("a.example/x", "a.example"), ("a.example:99999", "a.example"),
      ("a.example:80x", "a.example"), ("[::1", "::1"), ("[::1]x", "::1"),
      ("a.example, b.example", "a.example, b.example"),
    ])
  func oddHost(value: String, name: String) {
    let result = head("GET / HTTP/1.1", "Host: \(value)")
    #expect(result.host == HostName(name))
    #expect(result.oddities.contains(.ambiguousHost))
  }

  @Test("of several Hosts the first is kept, and the one that differs beside it")
  func severalHosts() {
    let result = head("GET / HTTP/1.1", "Host: a.example", "Host: a.example", "Host: b.example", "Host: c.example")
    #expect(result.host == HostName("a.example") && result.otherHost == HostName("b.example"))
    #expect(result.oddities == .ambiguousHost)
  }

  @Test("no Host, or an empty one, is no name", arguments: ["X: 1", "Host:", "Host: "])
  func noHost(field: String) {
    let result = head("GET / HTTP/1.0", field)
    #expect(result.host == nil && result.oddities == [])
  }

  @Test("an absolute target goes before Host, and a difference is marked")
  func absoluteForm() {
    let same = head("GET http://a.example:81/x HTTP/1.1", "Host: A.example")
    #expect(same.targetHost == HostName("a.example") && same.port == 81 && same.oddities == [])
    let other = head("GET HTTPS://u:p@b.example?x HTTP/1.1", "Host: a.example:82")
    #expect(other.destinationName == HostName("b.example") && other.host == HostName("a.example"))
    #expect(other.port == 82 && other.oddities == .ambiguousHost)
    #expect(head("GET http://a.example:81/ HTTP/1.1", "Host: a.example:82").oddities == .ambiguousHost)
  }

  @Test("a path that holds a URL is a path")
  func urlInPath() {
    #expect(head("GET /http://b.example/ HTTP/1.1", "Host: a.example").targetHost == nil)
    #expect(head("OPTIONS * HTTP/1.1", "Host: a.example").targetHost == nil)
  }

  @Test("CONNECT names its destination and has no body")
  func connect() {
    let result = head("CONNECT a.example:443 HTTP/1.1", "Host: a.example:443")
    #expect(result.isConnect && result.targetHost == HostName("a.example") && result.port == 443)
    #expect(result.oddities == [])
    #expect(head("CONNECT [2001:db8::1]:22 HTTP/1.1").targetHost == HostName("2001:db8::1"))
    let framed = head("CONNECT a.example:443 HTTP/1.1", "Content-Length: 5")
    #expect(framed.body == .none && framed.oddities == .ambiguousLength)
  }

  @Test("an upgrade is asked for only by both fields")
  func upgrade() {
    #expect(head("GET / HTTP/1.1", "Upgrade: websocket", "Connection: keep-alive, Upgrade").asksUpgrade)
    #expect(!head("GET / HTTP/1.1", "Upgrade: websocket").asksUpgrade)
    #expect(!head("GET / HTTP/1.1", "Connection: upgrade").asksUpgrade)
  }

  @Test("a host in a line that only some servers fold is a host")
  func foldedHost() {
    for lines in ["Accept: a\r\n Host: b.example", "Accept:\r\n Host: b.example", "Accept\r\n\tHost: b.example"] {
      let result = head("GET / HTTP/1.1", "Host: a.example", lines)
      #expect(result.host == HostName("a.example") && result.otherHost == HostName("b.example"), "\(lines)")
    }
    let continued = head("GET / HTTP/1.1", "Host: a.example\r\n b")
    #expect([continued.host, continued.otherHost].contains(HostName("a.example")))
  }
}

@Suite("HTTP body framing")
struct HTTPFramingTests {
  @Test("a length is taken, also on a GET, and several that agree are one")
  func length() {
    #expect(head("GET / HTTP/1.1", "Content-Length: 7").body == .length(7))
    #expect(head("GET / HTTP/1.1", "Content-Length: 0").body == .none)
    let several = head("GET / HTTP/1.1", "Content-Length: 7, 7", "content-length: 07")
    #expect(several.body == .length(7) && several.oddities == [])
  }

  @Test("lengths that differ or are none are marked", arguments: ["8", "-7", "+7", "7a", "", "99999999999999999999"])
  func oddLength(second: String) {
    let result = head("POST / HTTP/1.1", "Content-Length: 7", "Content-Length: \(second)")
    #expect(result.body == .length(7))
    #expect(result.oddities == .ambiguousLength)
  }

  @Test("the largest length does not overflow")
  func largest() {
    #expect(head("POST / HTTP/1.1", "Content-Length: 18446744073709551615").body == .length(.max))
  }

  @Test(
    "chunked is chunked, in any case and after other codings", arguments: ["chunked", "gzip, Chunked"])
  func chunked(value: String) {
    let result = head("POST / HTTP/1.1", "Transfer-Encoding: \(value)")
    #expect(result.body == .chunked && result.oddities == [])
  }

  @Test("chunked wins over a length, and every way to disagree about it is marked")
  func ambiguous() {
    let both = head("POST / HTTP/1.1", "Content-Length: 7", "Transfer-Encoding: chunked")
    #expect(both.body == .chunked && both.oddities == .ambiguousLength)
    let notLast = head("POST / HTTP/1.1", "Transfer-Encoding: chunked, identity")
    #expect(notLast.body == .chunked && notLast.oddities == .ambiguousLength)
    let unknown = head("POST / HTTP/1.1", "Content-Length: 7", "Transfer-Encoding: xchunked")
    #expect(unknown.body == .length(7) && unknown.oddities == .ambiguousLength)
    #expect(head("POST / HTTP/1.0", "Transfer-Encoding: chunked").oddities == .ambiguousLength)
    let trimmed = head("POST / HTTP/1.1", "Transfer-Encoding: \u{b}chunked")
    #expect(trimmed.body == .chunked && trimmed.oddities == .ambiguousLength)
    let spaced = head("POST / HTTP/1.1", "Transfer-Encoding : chunked")
    #expect(spaced.body == .chunked && spaced.oddities == [.ambiguousLength, .oddWhitespace])
  }
}
