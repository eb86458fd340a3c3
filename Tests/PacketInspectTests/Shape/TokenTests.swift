import TestSupport
import Testing

@testable import PacketInspect

@Suite("Tokens in requests")
struct TokenTests {
  static func shape(_ target: String, threshold: Int = 64, expectsDigests: Bool = false) -> RequestShape {
    let bytes = Array(target.utf8)
    var shape = RequestShape()
    var scratch: [UInt8] = []
    shape.read(
      target: 0..<bytes.count, in: bytes.rawSpan, threshold: threshold, expectsDigests: expectsDigests,
      scratch: &scratch)
    return shape
  }

  @Test("none of more than 30,000 ordinary targets is called encoded")
  func ordinary() {
    var corpus = TokenCorpus(seed: 0xe9)
    var looked = 0
    for kind in 0..<TokenCorpus.ordinaryKinds {
      for _ in 0..<540 {
        let target = corpus.ordinary(kind)
        let shape = Self.shape(target)
        #expect(shape.encodedPath == nil && shape.encodedQuery == nil, "kind \(kind): \(target)")
        looked += 1
      }
    }
    #expect(looked > 30_000)
  }

  @Test("tokens of 64 characters and more are called encoded in path and query", arguments: 0..<12)
  func encoded(kind: Int) {
    var corpus = TokenCorpus(seed: UInt64(kind) &+ 77)
    var missed = 0
    for round in 0..<400 {
      let token = corpus.token(kind)
      let name = corpus.pick(["d", "data", "q", "x", "payload", "chunk"])
      let target =
        switch round % 4 {
        case 0: "/\(corpus.word())/\(token)"
        case 1: "/api/\(corpus.word())/\(token)/\(corpus.word())"
        case 2: "/\(corpus.word())?\(name)=\(token)"
        default: "/c?a=1&\(name)=\(token)&z=\(corpus.word())"
        }
      let shape = Self.shape(target)
      if (round % 4 < 2 ? shape.encodedPath : shape.encodedQuery) == nil { missed += 1 }
    }
    #expect(missed <= 6, "\(TokenCorpus.encodings[kind]): \(missed) of 400")
  }

  @Test("a digest by itself is none's business; the same length of text is")
  func digests() {
    var corpus = TokenCorpus(seed: 5)
    let digest = corpus.hex(64)
    let text = TokenCorpus.hex(corpus.text(32))
    #expect(Self.shape("/files/\(digest)").encodedPath == nil)
    #expect(Self.shape("/files/\(digest)").knownTokens == 1)
    #expect(Self.shape("/files/\(text)").encodedPath?.encoding == .hex)
    #expect(Self.shape("/files/\(text)").encodedPath?.content == .structured)
    // Behind a name that nobody knows a digest's length proves nothing.
    #expect(Self.shape("/f?d=\(digest)").encodedQuery?.content == .uniform)
    #expect(Self.shape("/f?sha256=\(digest)").encodedQuery == nil)
    #expect(Self.shape("/f?sha256=\(text)").encodedQuery != nil)
    // More digests than a path of any registry has.
    let many = (0..<3).map { _ in "/" + corpus.hex(64) }.joined()
    #expect(Self.shape(many).encodedPath != nil)
    #expect(Self.shape(many, expectsDigests: true).encodedPath == nil)
  }

  @Test("a signed URL excuses its signature and nothing else in it, and no signature that is text")
  func signed() {
    var corpus = TokenCorpus(seed: 6)
    let signed = "/b/k?\(corpus.amazon())"
    #expect(Self.shape(signed).encodedQuery == nil)
    #expect(Self.shape(signed).knownTokens == 2)
    #expect(Self.shape(signed + "&d=\(corpus.base64url(48))").encodedQuery?.length == 64)
    let text = TokenCorpus.hex(corpus.text(32))
    #expect(Self.shape("/b/k?X-Amz-Expires=9&X-Amz-Credential=a&X-Amz-Signature=\(text)").encodedQuery != nil)
    #expect(Self.shape("/b/k?data=\(corpus.jwt())").encodedQuery == nil)
    let noJWT = "eyJ\(corpus.base64url(60)).\(corpus.base64url(60)).\(corpus.base64url(60))"
    #expect(Self.shape("/b/k?data=\(noJWT)").encodedQuery != nil)
  }

  @Test("an OCSP request and a signed media URL are known by their structure")
  func structured() {
    var corpus = TokenCorpus(seed: 12)
    var request: [UInt8] = [
      0x30, 0x51, 0x30, 0x4f, 0x30, 0x4d, 0x30, 0x4b, 0x30, 0x49, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a,
      5, 0,
    ]
    request += [4, 20] + corpus.bytes(20) + [4, 20] + corpus.bytes(20) + [2, 16] + corpus.bytes(16)
    let length = request.count - 2
    for (place, value) in [(1, length), (3, length - 2), (5, length - 4), (7, length - 6), (9, length - 8)] {
      request[place] = UInt8(value)
    }
    #expect(Self.shape("/ocsp/\(TokenCorpus.escape(TokenCorpus.base64(request)))").encodedPath == nil)
    #expect(Self.shape("/ocsp/\(TokenCorpus.escape(TokenCorpus.base64(corpus.bytes(80))))").encodedPath != nil)
    let media = "/range/0-65535?o=\(corpus.base64url(120))&v=3"
    #expect(Self.shape("\(media)&e=1484347850&t=\(corpus.base64url(20))").encodedQuery == nil)
    #expect(Self.shape("\(media)&e=soon&t=\(corpus.base64url(20))").encodedQuery != nil)
    #expect(Self.shape("\(media)&e=1484347850&t=no").encodedQuery != nil)
  }

  @Test("data that is glued to words without a sign between the two is found; words alone are not")
  func glued() {
    var corpus = TokenCorpus(seed: 8)
    var missed = 0
    for round in 0..<400 {
      let before = (0..<corpus.number(0..<24)).map { _ in corpus.capital() }.joined()
      let after = (0..<corpus.number(0..<24)).map { _ in corpus.capital() }.joined()
      let data = TokenCorpus.base64(round % 2 == 0 ? corpus.bytes(72) : corpus.text(72), url: true, padded: false)
      if Self.shape("/x?d=\(before)\(data)\(after)").encodedQuery == nil { missed += 1 }
      #expect(Self.shape("/\(before)9\(after)").encodedPath == nil)
      #expect(Self.shape("/x?d=\(corpus.words(30, ""))7").encodedQuery == nil)
    }
    #expect(missed <= 20, "\(missed) of 400")
  }

  @Test("the threshold is the policy's")
  func threshold() {
    var corpus = TokenCorpus(seed: 7)
    let token = corpus.base64url(36)
    #expect(token.utf8.count == 48)
    #expect(Self.shape("/x?d=\(token)").encodedQuery == nil)
    #expect(Self.shape("/x?d=\(token)", threshold: 48).encodedQuery?.length == 48)
    #expect(Self.shape("/x?d=\(token)").token.encoding.isEncoded)
  }

  @Test("a token shorter than the threshold is flagged when all that it decodes to is text, however it is cut")
  func carried() {
    var corpus = TokenCorpus(seed: 21)
    for _ in 0..<300 {
      let text = Array("\(corpus.word()) \(corpus.word()) \(corpus.word())".utf8.prefix(30))
      let hex = TokenCorpus.hex(text)
      // Decimal digits alone are a number.
      if hex.allSatisfy(\.isNumber) { continue }
      let pairs = stride(from: 0, to: hex.utf8.count, by: 2).map { hex.dropFirst($0).prefix(2) }
      for token in [
        hex, hex.uppercased(), TokenCorpus.base64(text), TokenCorpus.base64(text, url: true, padded: false),
        TokenCorpus.escape(TokenCorpus.base64(text)), TokenCorpus.base32(text), pairs.joined(separator: "-"),
        pairs.joined(separator: ":"), TokenCorpus.escape(text, all: true),
        TokenCorpus.escape(TokenCorpus.escape(text, all: true)),
      ] {
        #expect(Self.shape("/c?a=1&d=\(token)&z=2").encodedQuery != nil, "\(token)")
        #expect(Self.shape("/c/\(token)/x").encodedPath?.content == .structured, "\(token)")
      }
    }
    // Two letters behind three layers of escapes are nobody's mistake; a search for an escape is.
    #expect(Self.shape("/c?d=%25252541%25252549").encodedQuery?.encoding == .percent)
    #expect(Self.shape("/c?d=what+does+%252541+mean").encodedQuery == nil)
    #expect(Self.shape("/c?d=https%253A%252F%252Fhost%252Fa%252520b").encodedQuery == nil)
  }

  @Test("however many harmless tokens stand around it, an encoded one is found")
  func padded() {
    var corpus = TokenCorpus(seed: 23)
    let titles = (0..<40).map { _ in corpus.words(16) }
    let identifiers = (0..<60).map { _ in corpus.uuid() }
    let digests = (0..<30).map { _ in corpus.hex(64) }
    let long = corpus.base64url(150)
    let short = TokenCorpus.hex(Array("the board meets at ten".utf8))
    for token in [long, short] {
      for harmless in [titles, identifiers, titles + identifiers] {
        let path = "/" + (harmless + [token] + harmless.prefix(9)).joined(separator: "/")
        #expect(Self.shape(path).encodedPath?.length == token.utf8.count)
        let query = "/x?" + (harmless + [token] + harmless.prefix(9)).map { "d=\($0)" }.joined(separator: "&")
        #expect(Self.shape(query).encodedQuery?.length == token.utf8.count)
        let nested = "/x?u=" + TokenCorpus.escape((harmless.prefix(30) + [token]).joined(separator: " "))
        #expect(Self.shape(nested).encodedQuery?.length == token.utf8.count)
      }
    }
    // What is known makes no room either.
    let known = "/x?" + (digests + [long]).enumerated().map { "sha256=\($0.element)" }.joined(separator: "&")
    #expect(Self.shape(known).encodedQuery?.length == long.utf8.count)
    #expect(Self.shape(known).knownTokens == digests.count)
    // Within one token, words before data and behind it do not hide it: the pairs of letters are those of noise.
    let within = "/x?d=\(corpus.words(3, ""))\(corpus.base64url(300))\(corpus.words(3, ""))"
    #expect(Self.shape(within).encodedQuery != nil)
  }

  @Test("text in pairs of hexadecimal digits is found wherever it begins, and nothing shorter than text can be")
  func delimited() {
    let pairs = Array("tell nobody of it".utf8).map { TokenCorpus.hex([$0]) }
    for sign in [":", ".", "-", "/"] {
      for lead in 0..<70 {
        let target = "/" + String(repeating: ".", count: lead) + "?d=" + pairs.joined(separator: sign) + "&e=1"
        #expect(Self.shape(target).encodedQuery?.encoding == .hex, "\(target)")
      }
      #expect(Self.shape("/?d=" + pairs.prefix(12).joined(separator: sign)).encodedQuery == nil)
    }
  }

  @Test("noise shorter than the threshold is nobody's business: no digest, trace or session id of 300,000 is text")
  func noise() {
    var corpus = TokenCorpus(seed: 22)
    for _ in 0..<100_000 {
      let target = "/\(corpus.base64url(30))?t=\(corpus.hex(32))&s=\(corpus.hex(40))"
      let shape = Self.shape(target)
      #expect(shape.encodedPath == nil && shape.encodedQuery == nil, "\(target)")
    }
  }

  @Test("what clients send besides: identifiers of GraphQL, cursors, a code cut by dots, a title with an identifier")
  func besides() {
    var corpus = TokenCorpus(seed: 23)
    let identifier = TokenCorpus.base64(Array("Repository:1234567890".utf8))
    #expect(Self.shape("/node?id=\(identifier)").encodedQuery == nil)
    let state = TokenCorpus.base64(Array(#"{"v":"meta.k8s.io/v1","rv":4711,"start":"a-pod-b"}"#.utf8))
    #expect(Self.shape("/api/v1/pods?limit=500&continue=\(state)").encodedQuery == nil)
    let code = "0.A\(corpus.base64url(30)).\(corpus.base64url(500))"
    #expect(Self.shape("/cb?code=\(code)&state=\(corpus.uuid())").encodedQuery == nil)
    let title = "/article/\(corpus.words(8))-\(corpus.capitals(26))"
    #expect(Self.shape(title).encodedPath == nil)
    // Below the threshold by itself, and above it with its section.
    for _ in 0..<500 {
      let short = "/article/\(corpus.words(5))-\(corpus.capitals(26))"
      #expect(Self.shape(short).encodedPath == nil, "\(short)")
    }
  }

  @Test("sizes are those of the target, in every form")
  func sizes() {
    let shape = Self.shape("/a/bcd/ef.txt?x=12345&long=1234567890&flag")
    #expect(shape.pathLength == 13 && shape.pathDepth == 3 && shape.longestSegment == 6)
    #expect(shape.queryLength == 28 && shape.parameters == 3 && shape.longestParameter == 10)
    let absolute = Self.shape("http://user@host.example:80/a/b?c=d")
    #expect(absolute.pathLength == 4 && absolute.pathDepth == 2 && absolute.parameters == 1)
    #expect(Self.shape("*").pathDepth <= 1)
    #expect(Self.shape("").pathLength == 0)
    #expect(Self.shape("/?").parameters == 0)
    #expect(Self.shape("/?a").parameters == 1)
  }

  @Test("no target is too odd to be read")
  func robustness() {
    var random = SplitMix64(seed: 9)
    var scratch: [UInt8] = []
    let pieces = [
      "%", "=", "/", "?", "&", "#", ".", "~", "eyJ", "%4", "%zz", "sha256:", "://", "AAAA", "0f", "-", "\u{ff}",
    ]
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<40, using: &random) {
        if Bool.random(using: &random) {
          bytes += Array(pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8)
        } else {
          bytes += (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
      }
      var shape = RequestShape()
      shape.read(
        target: 0..<bytes.count, in: bytes.rawSpan, threshold: 32, expectsDigests: false, scratch: &scratch)
      #expect(shape.pathLength + shape.queryLength <= bytes.count)
    }
  }

  @Test("bodies are told by their first bytes")
  func bodies() {
    func encoding(_ text: String) -> BodyEncoding? {
      let bytes = Array(text.utf8)
      return BodyEncoding(bytes.rawSpan, 0..<bytes.count)
    }
    var corpus = TokenCorpus(seed: 8)
    #expect(encoding(#"{"a": 1}"#) == .json)
    #expect(encoding("a=b&c=d") == .form)
    #expect(encoding("--boundary\r\n") == .multipart)
    #expect(encoding("<xml/>") == .xml)
    #expect(encoding("Dear reader, this is it") == .text)
    #expect(encoding(TokenCorpus.base64(corpus.bytes(60))) == .base64)
    #expect(encoding(corpus.hex(80)) == .hex)
    #expect(encoding("") == nil)
    let zipped: [UInt8] = [0x1f, 0x8b, 8, 0]
    #expect(BodyEncoding(zipped.rawSpan, 0..<4) == .compressed)
    let noise: [UInt8] = [1, 2, 3]
    #expect(BodyEncoding(noise.rawSpan, 0..<3) == .binary)
  }
}
