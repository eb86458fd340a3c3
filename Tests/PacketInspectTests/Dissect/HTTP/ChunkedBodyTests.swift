import PacketInspect
import Testing

@Suite("Chunked bodies")
struct ChunkedBodyTests {
  private let body = Array("4;x=y\r\nWiki\r\n0A \r\n0123456789\r\n0\r\nTrailer: a\r\nb: c\r\n\r\n".utf8)
  private let rest = Array("GET / HTTP/1.1\r\n".utf8)

  @Test("end where they end, in whatever pieces they come")
  func pieces() {
    let all = body + rest
    for first in 0...all.count {
      for second in first...all.count {
        var skipper = ChunkedBodySkipper()
        var consumed = 0
        for piece in [all[..<first], all[first..<second], all[second...]] where !skipper.isComplete {
          consumed += skipper.consume(Array(piece))
        }
        guard skipper.isComplete, consumed == body.count else {
          Issue.record("split at \(first) and \(second): \(consumed)")
          return
        }
      }
    }
  }

  @Test("are not complete at any prefix, and take nothing once they are")
  func prefixes() {
    for count in 0..<body.count {
      var skipper = ChunkedBodySkipper()
      #expect(skipper.consume(Array(body[..<count])) == count)
      #expect(!skipper.isComplete && !skipper.isBroken, "prefix of \(count)")
    }
    var skipper = ChunkedBodySkipper()
    #expect(skipper.consume(body) == body.count)
    #expect(skipper.consume(rest) == 0)
  }

  @Test("may use bare line feeds")
  func bareLineFeeds() {
    var skipper = ChunkedBodySkipper()
    let bytes = Array("3\nabc\n0\n\n".utf8)
    #expect(skipper.consume(bytes) == bytes.count)
    #expect(skipper.isComplete)
  }

  @Test("may be empty")
  func empty() {
    var skipper = ChunkedBodySkipper()
    #expect(skipper.consume(Array("0\r\n\r\nG".utf8)) == 5)
    #expect(skipper.isComplete)
  }

  @Test(
    "that are none break",
    arguments: ["xyz", "\r\n", ";a\r\n", "0x4\r\n", "-1\r\n", "3\r\nabcd\r\n", "8000000000000000\r\n", "1g\r\n"])
  func broken(text: String) {
    var skipper = ChunkedBodySkipper()
    #expect(skipper.consume(Array(text.utf8)) < text.utf8.count)
    #expect(skipper.isBroken && !skipper.isComplete)
  }

  @Test("may have chunks of nearly 2^63 bytes")
  func huge() {
    var skipper = ChunkedBodySkipper()
    let bytes = Array("7fffffffffffffff\r\nabc".utf8)
    #expect(skipper.consume(bytes) == bytes.count)
    #expect(!skipper.isBroken && !skipper.isComplete)
  }
}
