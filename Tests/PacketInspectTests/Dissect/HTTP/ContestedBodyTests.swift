import Testing

@testable import PacketInspect

@Suite("A body about whose end servers disagree")
struct ContestedBodyTests {
  private static let hidden = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"

  /// Gives the body's bytes to its readings, in pieces of a size, and returns what became of it and where.
  private func read(_ text: String, lengths: Set<UInt64>, isChunked: Bool, pieces: Int) -> (ContestedBody.Step, Int) {
    guard var body = ContestedBody(lengths: lengths, isChunked: isChunked) else { return (.lost, -1) }
    let bytes = Array(text.utf8)
    var offset = 0
    var known = 0
    while true {
      switch body.next(Array(bytes[offset..<known]).rawSpan) {
      case .needMore:
        if known == bytes.count { return (.needMore, offset) }
        known = min(bytes.count, known + pieces)
      case .pass(let count):
        guard count > 0 else { return (.lost, -2) }
        offset += count
      case let last: return (last, offset)
      }
    }
  }

  private func expect(
    _ text: String, _ lengths: Set<UInt64>, chunked: Bool = true, is step: ContestedBody.Step, at offset: Int
  ) {
    for pieces in [1, 2, 3, 7, 1_000] {
      let result = read(text, lengths: lengths, isChunked: chunked, pieces: pieces)
      #expect(result == (step, offset), "\(text) in pieces of \(pieces)")
    }
  }

  @Test("is no contest with a single reading")
  func single() {
    #expect(ContestedBody(lengths: [0], isChunked: false) == nil)
    #expect(ContestedBody(lengths: [], isChunked: true) == nil)
    #expect(ContestedBody(lengths: [0, 5], isChunked: false) != nil)
  }

  @Test("contradicts itself where a request begins at one end and not at the other")
  func contradiction() {
    // The length ends the body before the first chunk's data, which is a request.
    expect("23\r\n" + Self.hidden + "\r\n0\r\n\r\n", [0, 4], is: .contradicted, at: 4)
    // The last chunk ends it, the length behind the request.
    expect("0\r\n\r\n" + Self.hidden, [0, 40], is: .contradicted, at: 5)
    expect(Self.hidden, [0, 35], chunked: false, is: .contradicted, at: 0)
    expect("\r\n\r\n" + Self.hidden, [0, 39], chunked: false, is: .contradicted, at: 0)
    expect("abcde" + Self.hidden, [5, 500], chunked: false, is: .contradicted, at: 5)
    expect("BEEF / HTTP/1.1\r\nHost: b.example\r\n\r\n", [0], is: .contradicted, at: 0)
  }

  @Test("ends where the reading that held ends, when no request begins at the other ends")
  func careless() {
    // The length of what the chunks carry, as careless clients send it.
    expect("5\r\nhello\r\n0\r\n\r\n" + Self.hidden, [5], is: .end, at: 15)
    expect("hello" + Self.hidden, [5], is: .end, at: 5)
    expect("{hi!}" + Self.hidden, [0, 5], chunked: false, is: .end, at: 5)
    expect("0\r\n\r\n" + Self.hidden, [5], is: .end, at: 5)
    // Not in chunks after all, and nothing more says that it is.
    expect(Self.hidden, [0], is: .end, at: 0)
  }

  @Test("is lost when it is no chunked body and no length is left")
  func lost() {
    expect("hello, world", [0], is: .lost, at: 0)
  }

  @Test("waits for what tells")
  func waiting() {
    expect("hell", [0, 5], chunked: false, is: .needMore, at: 0)
    expect("{\"a\"", [0, 50], chunked: false, is: .needMore, at: 4)
    expect("5\r\nhel", [0, 500], is: .needMore, at: 6)
  }

  @Test("of any length does not overflow")
  func longest() {
    expect("{}", [0, .max], chunked: false, is: .needMore, at: 2)
  }

  private func head(_ text: String) -> HTTPRequestHead {
    var head = HTTPRequestHead()
    #expect(HTTPRequestHead.parse(Array(text.utf8).rawSpan, into: &head) == .complete(length: text.utf8.count))
    return head
  }

  @Test(
    "has the readings that its head gives reason for",
    arguments: [
      (["Content-Length: 7", "Transfer-Encoding: chunked"], [7], true),
      (["Content-Length: 7", "Content-Length: 9"], [7, 9], false),
      (["Content-Length: 7, 9, 11"], [7, 11], false),
      (["Content-Length: +7"], [0, 7], false), (["Content-Length: 7x"], [0, 7], false),
      (["Transfer-Encoding: xchunked"], [0], true), (["Transfer-Encoding : chunked"], [0], true),
      (["Accept: a", " Content-Length: 7"], [0, 7], false), (["Accept", " Content-Length: 7"], [0, 7], false),
      (["Accept:", " Transfer-Encoding: chunked"], [0], true),
      (["Content-Length: 7", " 8"], [0, 7], false), (["Accept: a\nContent-Length: 7"], [0, 7], false),
    ] as [([String], Set<UInt64>, Bool)])
  func contested(fields: [String], lengths: Set<UInt64>, isChunked: Bool) {
    let result = head((["POST / HTTP/1.1"] + fields + ["", ""]).joined(separator: "\r\n"))
    #expect(result.contest != nil)
    #expect(result.contest == ContestedBody(lengths: lengths, isChunked: isChunked))
  }

  @Test(
    "is none where a head has one reading",
    arguments: [
      "Content-Length: 7", "Content-Length: 7, 7", "Transfer-Encoding: chunked", "Accept: a\r\n b", "Content-Length: x",
    ])
  func uncontested(fields: String) {
    #expect(head("POST / HTTP/1.1\r\n\(fields)\r\n\r\n").contest == nil)
    #expect(head("POST / HTTP/1.1\nContent-Length: 7\n\n").contest == nil)
  }
}
