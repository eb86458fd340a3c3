import PacketInspect
import Testing

/// Parses and returns both the outcome and the hello.
private func parse(_ bytes: [UInt8]) -> (StreamDissection, ClientHello) {
  var hello = ClientHello()
  var scratch: [UInt8] = []
  let outcome = TLSHello.parse(bytes.rawSpan, into: &hello, scratch: &scratch)
  return (outcome, hello)
}

@Suite("TLS ClientHello")
struct TLSHelloTests {
  @Test("gives the server name and what the client offers")
  func ordinary() {
    let bytes = TLSHelloBuilder(name: "Docs.Example.ORG").stream
    let (outcome, hello) = parse(bytes)
    #expect(outcome == .complete(length: bytes.count))
    #expect(hello.serverName == HostName("docs.example.org"))
    #expect(hello.legacyVersion == 0x0303)
    #expect(hello.highestVersion == 0x0304)
    #expect(hello.alpn == [Array("h2".utf8), Array("http/1.1".utf8)])
    #expect(hello.cipherSuites == [0x1a1a, 0x1301, 0x1302, 0xc02b])
    #expect(hello.extensions == [0x2a2a, 0, 16, 43, 10, 13])
    #expect(hello.signatureAlgorithms == [0x0403, 0x0804])
    #expect(hello.offersPostQuantum)
    #expect(!hello.hasEncryptedClientHello)
    #expect(hello.oddities == [])
  }

  @Test("every prefix needs more, and what follows the hello is not counted")
  func prefixes() {
    let bytes = TLSHelloBuilder(name: "a.example").stream
    for count in 0..<bytes.count {
      #expect(parse(Array(bytes[..<count])).0 == .needMore, "prefix of \(count)")
    }
    #expect(parse(bytes + [20, 3, 3, 0, 1, 1]).0 == .complete(length: bytes.count))
  }

  @Test("a hello cut into two records anywhere gives its name")
  func twoRecords() {
    let builder = TLSHelloBuilder(name: "cut.example")
    let message = builder.message
    for cut in 1..<message.count {
      let bytes = builder.record(Array(message[..<cut])) + builder.record(Array(message[cut...]))
      let (outcome, hello) = parse(bytes)
      #expect(outcome == .complete(length: bytes.count), "cut at \(cut)")
      #expect(hello.serverName == HostName("cut.example"), "cut at \(cut)")
    }
  }

  @Test("a hello in records of one byte gives its name, and every prefix of it needs more")
  func oneByteRecords() {
    let bytes = TLSHelloBuilder(name: "tiny.example").stream(recordSize: 1)
    let (outcome, hello) = parse(bytes)
    #expect(outcome == .complete(length: bytes.count))
    #expect(hello.serverName == HostName("tiny.example"))
    for count in 0..<bytes.count { #expect(parse(Array(bytes[..<count])).0 == .needMore, "prefix of \(count)") }
  }

  @Test("no single changed byte traps or loses the bounds")
  func mutations() {
    let builder = TLSHelloBuilder(name: "mutant.example")
    var scratch: [UInt8] = []
    var hello = ClientHello()
    for var bytes in [builder.stream, builder.stream(recordSize: 60)] {
      for index in bytes.indices {
        let original = bytes[index]
        for value in UInt8.min...UInt8.max {
          bytes[index] = value
          if case .complete(let length) = TLSHello.parse(bytes.rawSpan, into: &hello, scratch: &scratch) {
            #expect(length <= bytes.count)
          }
        }
        bytes[index] = original
      }
    }
  }

  @Test("other protocols are told apart by their first bytes")
  func notTLS() {
    #expect(parse(Array("GET / HTTP/1.1\r\n".utf8)).0 == .notThisProtocol)
    #expect(parse([0x16, 0x02]).0 == .notThisProtocol)
    #expect(parse([0x16, 3, 1, 0xff, 0xff]).0 == .notThisProtocol)
    #expect(parse([0x16, 3, 1, 0, 80, 2]).0 == .notThisProtocol, "a ServerHello")
    #expect(parse([0x16, 3, 1, 0, 80, 1, 9]).0 == .notThisProtocol, "an impossible length")
    #expect(parse([0x16, 3, 1, 0, 80, 1, 0, 0, 4]).0 == .notThisProtocol, "too short a hello")
    #expect(parse([0x17, 3, 3, 0, 80]).0 == .notThisProtocol)
  }

  @Test("empty records and warning alerts on the way do not hide the name")
  func strays() {
    let builder = TLSHelloBuilder(name: "stray.example")
    let message = builder.message
    let bytes =
      builder.record([1, 0], type: 21) + builder.record([]) + builder.record(Array(message[..<9]))
      + builder.record([]) + builder.record(Array(message[9...]))
    let (outcome, hello) = parse(bytes)
    #expect(outcome == .complete(length: bytes.count))
    #expect(hello.serverName == HostName("stray.example"))
    #expect(hello.oddities == .oddRecords)
    #expect(parse(builder.record([2, 40], type: 21) + bytes).0 == .notThisProtocol, "a fatal alert ends it")
    #expect(parse((0..<9).flatMap { _ in builder.record([]) } + bytes).0 == .notThisProtocol, "too many of them")
  }

  @Test("version fields that no one defined are read past")
  func oddVersions() {
    var builder = TLSHelloBuilder(name: "v.example")
    builder.recordVersion = 0x037f
    #expect(parse(builder.stream).1.oddities == .oddVersion)
    builder.recordVersion = 0x0300
    builder.legacyVersion = 0x0404
    let (outcome, hello) = parse(builder.stream)
    #expect(outcome == .complete(length: builder.stream.count))
    #expect(hello.serverName == HostName("v.example"))
    #expect(hello.oddities == .oddVersion)
  }

  @Test("a record of another type in the middle is malformed, and what was read is kept")
  func brokenOff() {
    let builder = TLSHelloBuilder(name: "half.example")
    let message = builder.message
    let (outcome, hello) = parse(
      builder.record(Array(message[..<(message.count - 4)])) + builder.record([1], type: 23))
    #expect(outcome == .malformed(.badValue))
    #expect(hello.serverName == HostName("half.example"))
    #expect(hello.oddities.contains(.cut))
  }

  @Test("a hello beyond the cap says so, and still names its server")
  func tooLong() {
    var builder = TLSHelloBuilder(name: "long.example")
    builder.extensions?.append((21, [UInt8](repeating: 0, count: 17_000)))
    let (outcome, hello) = parse(Array(builder.stream(recordSize: 16_384)[..<2000]))
    #expect(outcome == .malformed(.tooMany))
    #expect(hello.serverName == HostName("long.example"))
  }

  @Test("the hello of QUIC is read without records")
  func message() {
    let message = TLSHelloBuilder(name: "quic.example").message
    var hello = ClientHello()
    for count in 0..<message.count {
      let outcome = TLSHello.parseMessage(Array(message[..<count]).rawSpan, into: &hello)
      #expect(outcome == .needMore)
    }
    let outcome = TLSHello.parseMessage(message.rawSpan, into: &hello)
    #expect(outcome == .complete(length: message.count))
    #expect(hello.serverName == HostName("quic.example"))
    let other = TLSHello.parseMessage(([2] as [UInt8]).rawSpan, into: &hello)
    #expect(other == .notThisProtocol)
  }

  @Test("a hello in an SSLv2 record is recognised by lengths that agree")
  func sslv2() {
    let body: [UInt8] =
      [1, 3, 1, 0, 9, 0, 0, 0, 16, 0, 0, 0x2f, 7, 0, 0xc0, 0, 0, 0x0a] + [UInt8](repeating: 5, count: 16)
    let bytes = [0x80, UInt8(body.count)] + body
    let (outcome, hello) = parse(bytes)
    #expect(outcome == .complete(length: bytes.count))
    #expect(hello.oddities == .sslv2Hello)
    #expect(hello.cipherSuites == [0x2f, 0x0a])
    #expect(hello.legacyVersion == 0x0301)
    #expect(hello.serverName == nil)
    for count in 0..<bytes.count { #expect(parse(Array(bytes[..<count])).0 == .needMore) }
    var wrong = bytes
    wrong[6] = 6
    #expect(parse(wrong).0 == .notThisProtocol)
  }

  @Test("an emptied hello keeps nothing of the one before")
  func reuse() {
    var hello = ClientHello()
    var scratch: [UInt8] = []
    let first = TLSHelloBuilder(name: "first.example").stream
    _ = TLSHello.parse(first.rawSpan, into: &hello, scratch: &scratch)
    let second = TLSHelloBuilder().stream
    _ = TLSHello.parse(second.rawSpan, into: &hello, scratch: &scratch)
    #expect(hello.serverName == nil)
    #expect(hello.alpn.isEmpty && hello.extensions.isEmpty && hello.signatureAlgorithms.isEmpty)
    #expect(!hello.offersPostQuantum && hello.highestVersion == 0x0303)
  }
}
