import Testing

@testable import PacketInspect

@Suite("A request hidden in a body about whose end servers disagree")
struct SmugglingTests {
  private static let web: Endpoint = "93.184.216.10:80"
  private static let hidden = "GET / HTTP/1.1\r\nHost: denied.net\r\n\r\n"

  struct Form: Sendable, CustomTestStringConvertible {
    var name: String
    var fields: String
    var body: String
    var testDescription: String { name }
  }

  static let forms: [Form] = [
    Form(
      name: "in a chunk, where a length ends the body before it",
      fields: "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", body: "24\r\n\(hidden)\r\n0\r\n\r\n"),
    Form(
      name: "behind the last chunk, where a length covers it",
      fields: "Transfer-Encoding: chunked\r\nContent-Length: 41\r\n", body: "0\r\n\r\n\(hidden)"),
    Form(
      name: "behind the first of two lengths", fields: "Content-Length: 0\r\nContent-Length: 36\r\n",
      body: hidden),
    Form(
      name: "behind the second of two lengths", fields: "Content-Length: 36\r\nContent-Length: 0\r\n",
      body: hidden),
    Form(name: "under a length with a sign", fields: "Content-Length: +36\r\n", body: hidden),
    Form(name: "under a coding in a folded line", fields: "A: b\r\n Content-Length: 36\r\n", body: hidden),
    Form(
      name: "under a length behind a bare line feed", fields: "A: b\nContent-Length: 36\r\n", body: hidden),
    Form(
      name: "in a chunk, where white space hides the coding", fields: "Transfer-Encoding : chunked\r\n",
      body: "\r\n\(hidden)"),
    Form(
      name: "in the head of a request between both ends",
      fields: "Transfer-Encoding: chunked\r\nContent-Length: 55\r\n",
      body: "0\r\n\r\nGET /x HTTP/1.1\r\nHost: good.example\r\nA: \(hidden)"),
  ]

  /// What becomes of a flow whose request and body come in segments of a size: the last verdict's reason, and the flags.
  private func judge(_ form: Form, pieces: Int, mode: Mode = .enforce) -> (Reason, InspectorLab) {
    var lab = InspectorLab(TestPolicy(mode: mode, denied: ["denied.net"]))
    lab.lookUp("good.example", "93.184.216.10")
    let connection = TCPClient(Self.web, from: lab.freshEndpoint())
    lab.open(connection)
    let bytes = request("good.example", method: "POST", more: form.fields) + Array(form.body.utf8)
    var reason = Reason.undecided
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      let segment = Array(bytes[start..<min(start + pieces, bytes.count)])
      reason = lab.send(connection.segment(segment, at: UInt32(start))).reason
    }
    return (reason, lab)
  }

  @Test("ends the flow, however it is cut", arguments: forms)
  func hidden(form: Form) {
    for pieces in [1, 5, 60, 2_000] {
      let (reason, lab) = judge(form, pieces: pieces)
      #expect(reason == .evasion || reason == .deniedName, "in pieces of \(pieces)")
      let flags = lab.flags
      #expect(flags.contains(.smuggling) || reason == .deniedName, "in pieces of \(pieces)")
    }
  }

  @Test("is refused as evasive when it is hidden from the reading that is followed")
  func reason() {
    let (reason, lab) = judge(Self.forms[0], pieces: 2_000)
    #expect(reason == .evasion)
    let flags = lab.flags.filter { $0 != .nameUnverified }
    #expect(flags == [.smuggling, .evasion])
  }

  @Test("is told in observe mode, where nothing is refused")
  func observed() {
    let (_, lab) = judge(Self.forms[0], pieces: 2_000, mode: .observe)
    let flags = lab.flags
    #expect(flags.contains(.evasion) && flags.contains(.denyHit))
  }

  @Test(
    "is not what careless clients send",
    arguments: [
      ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
      ("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"),
      ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"), ("Content-Length: +5\r\n", "{hi!}"),
      ("A: b\r\n c\r\nContent-Length: 5\r\n", "{hi!}"), ("A: b\nContent-Length: 5\r\n", "{hi!}"),
      ("Transfer-Encoding : chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ])
  func careless(fields: String, body: String) {
    // The next request of such a connection is judged as ever.
    for (name, expected) in [("good.example", Reason.allowed), ("denied.net", .deniedName)] {
      let next = String(decoding: request(name), as: UTF8.self)
      for pieces in [1, 7, 2_000] {
        let form = Form(name: "", fields: fields, body: body + next)
        let (reason, lab) = judge(form, pieces: pieces)
        #expect(reason == expected, "\(fields) in pieces of \(pieces)")
        let flags = lab.flags
        #expect(!flags.contains(.evasion), "\(fields) in pieces of \(pieces)")
      }
    }
  }

  @Test("is seen behind any number of empty lines")
  func emptyLines() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    for count in [1, 9, 500] {
      let lines = [UInt8](repeating: 0x0a, count: count)
      #expect(lab.connect(Self.web, sending: lines + Array(Self.hidden.utf8)).reason == .deniedName, "\(count) lines")
    }
  }
}
