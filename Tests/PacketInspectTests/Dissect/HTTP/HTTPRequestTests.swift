import PacketInspect
import Testing

private func parse(_ text: String) -> (StreamDissection, HTTPRequestHead) {
  var head = HTTPRequestHead()
  let bytes = Array(text.utf8)
  let outcome = HTTPRequestHead.parse(bytes.rawSpan, into: &head)
  return (outcome, head)
}

/// The head of a request that must be complete.
private func head(_ text: String) -> HTTPRequestHead {
  let (outcome, head) = parse(text)
  #expect(outcome == .complete(length: text.utf8.count))
  #expect(head.length == text.utf8.count)
  return head
}

private let ordinary = "POST /a/b?c=d HTTP/1.1\r\nHost: Api.Example:8080\r\nContent-Length: 12\r\nAccept: */*\r\n\r\n"

@Suite("HTTP request heads")
struct HTTPRequestTests {
  @Test("give method, host, port, target and framing")
  func ordinaryRequest() {
    let result = head(ordinary)
    #expect(result.method == Array("POST".utf8))
    #expect(result.minorVersion == 1)
    #expect(result.host == HostName("api.example") && result.destinationName == result.host)
    #expect(result.port == 8080)
    #expect(Array(ordinary.utf8)[result.targetRange] == Array("/a/b?c=d".utf8)[...])
    #expect(result.body == .length(12))
    #expect(result.targetHost == nil && result.otherHost == nil && !result.isConnect && !result.asksUpgrade)
    #expect(result.oddities == [])
  }

  @Test("need more at every prefix, and leave what follows alone")
  func prefixes() {
    for count in 0..<ordinary.utf8.count {
      #expect(parse(String(decoding: ordinary.utf8.prefix(count), as: UTF8.self)).0 == .needMore, "prefix of \(count)")
    }
    #expect(parse(ordinary + "next").0 == .complete(length: ordinary.utf8.count))
  }

  @Test("no single changed byte traps")
  func mutations() {
    var head = HTTPRequestHead()
    let text = "GET http://u@a.example:1/ HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n x\r\n\r\n"
    var bytes = Array(text.utf8)
    for index in bytes.indices {
      let original = bytes[index]
      for value in UInt8.min...UInt8.max {
        bytes[index] = value
        if case .complete(let length) = HTTPRequestHead.parse(bytes.rawSpan, into: &head) {
          #expect(length <= bytes.count && head.targetRange.upperBound <= length)
        }
      }
      bytes[index] = original
    }
  }

  @Test(
    "of other protocols are not taken for requests",
    arguments: [
      "SSH-2.0-OpenSSH_9.2\r\n", "EHLO mail.example\r\n", "USER anonymous\r\n", "\u{0}\u{0}\u{0}\u{8}", "{\"a\":1}\n",
      "HTTP/1.1 200 OK\r\n", "INVITE sip:a@b.example SIP/2.0\r\n", "DESCRIBE rtsp://a.example/ RTSP/1.0\r\n",
      "GET /\r\n", "GET/ HTTP/1.1\r\n", "FOO \u{1}\u{2}", " ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0",
    ])
  func otherProtocols(text: String) {
    // One blank could still be the stray white space before a request.
    #expect(parse(text).0 == (text == " " ? .needMore : .notThisProtocol))
  }

  @Test("with a line that never ends are given up unless they look like a request")
  func endlessLine() {
    let long = String(repeating: "a", count: 9000)
    #expect(parse("WORDS " + long).0 == .notThisProtocol)
    #expect(parse("GET /" + long).0 == .needMore)
    #expect(parse("ODD /" + long).0 == .needMore)
    #expect(parse(String(repeating: "A", count: 33)).0 == .notThisProtocol)
  }

  @Test("with a method nobody registered are read")
  func unknownMethod() {
    #expect(head("FROBNICATE / HTTP/1.0\r\nHost: a.example\r\n\r\n").minorVersion == 0)
  }

  @Test("after stray line ends, however many, are read and marked")
  func leadIn() {
    let result = head("\r\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    #expect(result.host == HostName("a.example") && result.oddities == .oddWhitespace)
    let lines = String(repeating: "\r\n", count: 500)
    #expect(parse(lines).0 == .needMore)
    #expect(head(lines + "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").host == HostName("a.example"))
  }

  @Test("with bare line feeds are read and marked")
  func bareLineFeeds() {
    let result = head("GET / HTTP/1.1\nHost: a.example\n\n")
    #expect(result.host == HostName("a.example") && result.oddities == .bareLineFeed)
  }

  @Test(
    "with white space where none belongs are read and marked",
    arguments: [
      "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET\t/\tHTTP/1.1\r\nHost: a.example\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", "GET / HTTP/1.1\r\nHost\t:\ta.example\t\r\n\r\n",
    ])
  func oddWhitespace(text: String) {
    let result = head(text)
    #expect(result.host == HostName("a.example"))
    #expect(result.oddities == .oddWhitespace)
  }

  @Test("with a target that holds spaces end it at the last one")
  func spacesInTarget() {
    let text = "GET /a b HTTP/1.1 c HTTP/1.1\r\n\r\n"
    #expect(Array(text.utf8)[head(text).targetRange] == Array("/a b HTTP/1.1 c".utf8)[...])
  }

  @Test("with a folded host join it")
  func folded() {
    let result = head("GET / HTTP/1.1\r\nHost:\r\n a.example\r\nX: 1\r\n\t2\r\n\r\n")
    #expect(result.host == HostName("a.example"))
    #expect(result.oddities == .foldedHeader)
    let both = head("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")
    #expect(both.host == HostName("a b") && both.otherHost == HostName("a"))
  }

  @Test("whose first field is indented still have it")
  func indentedFirstField() {
    let result = head("GET / HTTP/1.1\r\n Host: a.example\r\n\r\n")
    #expect(result.host == HostName("a.example") && result.oddities == .oddWhitespace)
  }

  @Test("with lines that are no fields are read past them")
  func noField() {
    let result = head("GET / HTTP/1.1\r\nnonsense\r\n: x\r\nhOST: a.example\r\n\r\n")
    #expect(result.host == HostName("a.example") && result.oddities == .oddHeader)
  }

  @Test("of odd versions are read and marked", arguments: ["HTTP/1.2", "http/1.1", "HTTP/2.0", "HTTP/1", "HTTP/"])
  func oddVersions(version: String) {
    let result = head("GET / \(version)\r\nHost: a.example\r\n\r\n")
    #expect(result.host == HostName("a.example") && result.oddities == .oddVersion)
  }

  @Test("forget the request before")
  func reuse() {
    var head = HTTPRequestHead()
    _ = HTTPRequestHead.parse(Array(ordinary.utf8).rawSpan, into: &head)
    _ = HTTPRequestHead.parse(Array("GET / HTTP/1.0\r\n\r\n".utf8).rawSpan, into: &head)
    #expect(head.host == nil && head.port == nil && head.body == .none && head.method == Array("GET".utf8))
  }
}
