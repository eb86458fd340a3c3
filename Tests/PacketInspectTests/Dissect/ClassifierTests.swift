import PacketInspect
import Testing

@Suite("Classifier")
struct ClassifierTests {
  private func classify(_ bytes: [UInt8], midstream: Bool = false) -> StreamProtocol {
    Classifier.couldBe(bytes.rawSpan, midstream: midstream)
  }

  @Test("a hello is TLS once its headers are there, at the start and midstream")
  func hello() {
    let bytes = TLSHelloBuilder(name: "a.example").stream
    for midstream in [false, true] {
      for count in 0...bytes.count {
        let expected: StreamProtocol = count < (midstream ? 11 : 9) ? .needMore : .tls
        #expect(classify(Array(bytes[..<count]), midstream: midstream) == expected, "\(count), \(midstream)")
      }
    }
  }

  @Test("a request is HTTP once its method is there, midstream once its target has begun")
  func request() {
    let bytes = Array("POST /x HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for count in 0...bytes.count {
      #expect(classify(Array(bytes[..<count])) == (count < 5 ? .needMore : .http))
      #expect(classify(Array(bytes[..<count]), midstream: true) == (count < 6 ? .needMore : .http))
    }
  }

  @Test("a request of an unknown method is HTTP at the start once its line has ended")
  func unknownMethod() {
    #expect(classify(Array("ODD /x HTTP/1.".utf8)) == .needMore)
    #expect(classify(Array("ODD /x HTTP/1.1\r\n".utf8)) == .http)
    #expect(classify(Array("ODD /x HTTP/1.1\r\n".utf8), midstream: true) == .unknown)
  }

  @Test("what only resembles TLS is unknown midstream")
  func resemblingTLS() {
    let good = Array(TLSHelloBuilder(name: "a.example").stream[..<11])
    #expect(classify(good, midstream: true) == .tls)
    for (index, value) in [(0, 0x17), (1, 2), (2, 5), (3, 0xff), (5, 2), (6, 1), (9, 2), (10, 9)] as [(Int, UInt8)] {
      var bytes = good
      bytes[index] = value
      #expect(classify(bytes, midstream: true) == .unknown, "byte \(index)")
    }
  }

  @Test(
    "prose and other protocols are unknown midstream",
    arguments: [
      "GETTING better", "Get / HTTP/1.1\r\n", "DELETE (a)", "PUT something down\r\n", "a", "STARTTLS\r\n",
      "\u{5}\u{1}\u{0}",
    ])
  func prose(text: String) {
    #expect(classify(Array(text.utf8), midstream: true) == .unknown)
  }

  @Test("the HTTP/2 preface is told from requests as soon as it can be, at the start and midstream")
  func preface() {
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    for isMidstream in [false, true] {
      for count in 1...preface.count {
        let expected: StreamProtocol = count < 12 ? .needMore : .http2
        #expect(classify(Array(preface[..<count]), midstream: isMidstream) == expected, "\(count)")
      }
    }
    #expect(classify(Array("PRIVATE".utf8), midstream: true) == .unknown)
    #expect(classify(Array("PRI * GOPHER".utf8), midstream: true) == .unknown)
  }

  @Test("a proxy request midstream is HTTP once its line has ended")
  func proxyRequest() {
    #expect(classify(Array("CONNECT a.example:443 HTT".utf8), midstream: true) == .needMore)
    #expect(classify(Array("CONNECT a.example:443 HTTP/1.1\r\n".utf8), midstream: true) == .http)
  }
}
