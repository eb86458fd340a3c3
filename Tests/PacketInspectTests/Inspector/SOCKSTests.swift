import Testing

@testable import PacketInspect

@Suite("What a SOCKS proxy is asked for")
struct SOCKSTests {
  private static let proxy: Endpoint = "93.184.216.20:1080"
  private static let offer: [UInt8] = [5, 2, 0, 2]

  static func five(_ name: String, command: UInt8 = 1) -> [UInt8] {
    [5, command, 0, 3, UInt8(name.utf8.count)] + Array(name.utf8) + [0x01, 0xbb]
  }

  static func four(_ name: String, user: String = "me") -> [UInt8] {
    [4, 1, 0x01, 0xbb, 0, 0, 0, 1] + Array(user.utf8) + [0] + Array(name.utf8) + [0]
  }

  /// What a client says, message by message, to reach a name.
  private static func dialogues(_ name: String) -> [[[UInt8]]] {
    [
      [offer, five(name)], [[5, 1, 0], five(name)],
      [offer, [1, 2, 0x61, 0x62, 1, 0x63], five(name)],
      [offer, five(name, command: 2)],
      [four(name)], [four(name, user: "")],
    ]
  }

  private func lab() -> InspectorLab { InspectorLab(TestPolicy(denied: ["denied.net", "93.184.216.66"])) }

  /// The last verdict; `whole` sends all in one segment, else each message is answered before the next.
  private func talk(_ messages: [[UInt8]], whole: Bool, _ lab: inout InspectorLab) -> Verdict {
    let connection = TCPClient(Self.proxy, from: lab.freshEndpoint())
    lab.open(connection)
    if whole { return lab.send(connection.segment(messages.flatMap { $0 })) }
    var offset: UInt32 = 0
    var verdict = Verdict(.accept, .undecided)
    for message in messages {
      #expect(verdict.action == .accept)
      verdict = lab.send(connection.segment(message, at: offset))
      offset += UInt32(message.count)
    }
    return verdict
  }

  @Test("is judged as a destination, in every version, with and without a user, in one packet or several")
  func denied() {
    for whole in [false, true] {
      for (number, messages) in Self.dialogues("sub.denied.net").enumerated() {
        var lab = lab()
        #expect(talk(messages, whole: whole, &lab) == Verdict(.reject, .deniedName, scope: .flow), "\(number)")
      }
    }
  }

  @Test("is charged by its name, as CONNECT's target is")
  func charged() {
    for messages in Self.dialogues("www.good.example") {
      var lab = lab()
      #expect(talk(messages, whole: false, &lab).action == .accept)
      #expect(lab.destinations.contains("good.example"))
    }
  }

  @Test("may be an address, which is denied like one")
  func addresses() {
    for request: [UInt8] in [
      [5, 1, 0, 1, 93, 184, 216, 66, 0x01, 0xbb],
      [5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 93, 184, 216, 66, 0x01, 0xbb],
    ] {
      var lab = lab()
      #expect(talk([Self.offer, request], whole: false, &lab).action == .reject)
    }
    var lab = lab()
    #expect(talk([[4, 1, 0x01, 0xbb, 93, 184, 216, 66, 0]], whole: false, &lab).action == .reject)
  }

  @Test("is read wherever the segments cut it")
  func cuts() {
    for messages in [[Self.offer + Self.five("denied.net")], [Self.four("denied.net")]] {
      let bytes = messages.flatMap { $0 }
      for cut in 1..<bytes.count {
        var lab = lab()
        #expect(talk([Array(bytes[..<cut]), Array(bytes[cut...])], whole: false, &lab).reason == .deniedName, "\(cut)")
      }
    }
  }

  @Test(
    "hides nothing that is said behind it: a denied hello or request in the tunnel is refused, another name flagged")
  func tunnel() {
    for inner in [hello("denied.net"), request("denied.net")] {
      var lab = lab()
      #expect(talk([Self.offer, Self.five("good.example"), inner], whole: false, &lab).reason == .deniedName)
    }
    var lab = lab()
    #expect(talk([Self.four("good.example"), hello("other.example")], whole: false, &lab).action == .accept)
    #expect(lab.flags.contains(.fronting))
  }

  @Test("is nothing where the bytes are no SOCKS: the flow counts as its address, and is searched")
  func others() {
    let junk: [[UInt8]] = [
      [5, 1, 0, 9, 9, 9, 9, 9], [4, 3, 1, 2, 3], [5, 0, 0, 0], Self.offer + [7, 7, 7],
      [4, 1, 0, 80, 1, 2, 3, 4] + [UInt8](repeating: 0x61, count: 300),
      Self.offer + [5, 3, 0, 1, 0, 0, 0, 0, 0, 0],
    ]
    for bytes in junk {
      var lab = lab()
      #expect(talk([bytes], whole: true, &lab).action == .accept)
      #expect(lab.destinations.contains("93.184.216.20"), "\(bytes.prefix(8))")
      #expect(talk([bytes, hello("denied.net")], whole: false, &lab).reason == .deniedName, "\(bytes.prefix(8))")
    }
  }

  @Test("may not be said again and again in one packet")
  func nested() {
    var lab = lab()
    let bytes = (0..<100).flatMap { _ in Self.four("good.example") }
    #expect(talk([bytes], whole: true, &lab) == Verdict(.reject, .evasion, scope: .flow))
  }
}
