import Foundation
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Requests about overlays")
struct OverlayReaderTests {
  private func command(_ fields: String) throws(ControlError) -> ControlCommand {
    var service = ControlService(execute: { _ in nil })
    service.reader.isRegistrySuffix = { $0.text == "com" }
    return try service.command(Data("{\"version\":1,\(fields)}".utf8))
  }

  @Test("each command is read with its fields, and subjects in one form")
  func commands() throws {
    let author = OverlayAuthor(why: "x")
    #expect(
      try command(#""command":"overlay-add","kind":"deny","subject":"*.Bad.Example.","scope":"all","why":"x""#)
        == .overlay(.add(OverlayDraft(kind: .deny, subject: "bad.example", scope: .all, author: author))))
    #expect(
      try command(
        #""command":"overlay-add","kind":"exception","subject":"::ffff:192.0.2.7","scope":"type:t","why":"x","who":"y","lasts":9"#
      )
        == .overlay(
          .add(
            OverlayDraft(
              kind: .exception, subject: "192.0.2.7", scope: .agentType("t"),
              author: OverlayAuthor(who: "y", why: "x"), lasts: 9))))
    #expect(
      try command(
        #""command":"overlay-add","kind":"budget","scope":"session:a","budget":{"upload_bytes":5,"window":"24h"},"why":"x""#
      )
        == .overlay(
          .add(
            OverlayDraft(
              kind: .budget, budget: BudgetOverride(uploadBytes: 5, window: .day), scope: .session("a"), author: author)
          )))
    #expect(
      try command(#""command":"block","id":"unattributed-fd00::7","why":"x""#)
        == .overlay(.add(OverlayDraft(kind: .block, scope: .session("unattributed-fd00::7"), author: author))))
    #expect(try command(#""command":"unblock","id":"a","why":"x""#) == .overlay(.unblock("a", author)))
    #expect(try command(#""command":"overlay-list""#) == .overlay(.list(session: nil)))
    #expect(try command(#""command":"overlay-remove","overlay":7,"why":"x""#) == .overlay(.remove(7, author)))
    let start =
      #""command":"start","id":"a","agent_type":"t","addresses":["192.0.2.7"],"budget":{"destinations":5,"on_reach":"hold"}"#
    guard case .start(let registration) = try command(start) else { throw ControlError(.badRequest, "") }
    #expect(registration.budget == BudgetOverride(destinations: 5, onReach: .hold))
  }

  @Test(
    "what would not mean what was meant is refused",
    arguments: [
      #""kind":"forbid","subject":"a.example","scope":"all","why":"x""#,
      #""kind":"deny","scope":"all","why":"x""#,
      #""kind":"deny","subject":"a.example","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"all""#,
      #""kind":"deny","subject":"a.example","scope":"all","why":" ""#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"a\nb""#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"x","who":"""#,
      #""kind":"deny","subject":"com","scope":"all","why":"x""#,
      #""kind":"deny","subject":"a b","scope":"all","why":"x""#,
      #""kind":"deny","subject":"","scope":"all","why":"x""#,
      #""kind":"deny","subject":"192.0.0.0/3","scope":"all","why":"x""#,
      #""kind":"deny","subject":"a.example/24","scope":"all","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"everybody","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"session:","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"session:a b","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"type:","why":"x""#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"x","lasts":0"#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"x","lasts":9223372036854775807"#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"x","budget":{"destinations":5}"#,
      #""kind":"deny","subject":"a.example","scope":"all","why":"x","until":5"#,
      #""kind":"block","subject":"a","scope":"session:a","why":"x""#,
      #""kind":"budget","scope":"session:a","why":"x""#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"on_reach":"hold"}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"destinations":0}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"destinations":-1}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"upload_bytes":0}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"destinations":5,"window":"1h"}"#,
      #""kind":"budget","scope":"session:a","why":"x","budget":{"destinations":5,"onReach":"hold"}"#,
    ])
  func refused(fields: String) {
    let error = #expect(throws: ControlError.self) { _ = try command("\"command\":\"overlay-add\"," + fields) }
    #expect(error?.code == .badRequest)
  }

  @Test("texts are as long as allowed, and no longer")
  func lengths() {
    for (count, isGood) in [(OverlayReader.maximumWhy, true), (OverlayReader.maximumWhy + 1, false)] {
      let why = String(repeating: "x", count: count)
      let text = "\"command\":\"block\",\"id\":\"a\",\"why\":\"\(why)\""
      #expect(((try? command(text)) != nil) == isGood)
    }
  }

  @Test("the client of a connection is known by the kernel's word, with the one who logged in")
  func peer() throws {
    var pair: [Int32] = [0, 0]
    let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
    try #require(result == 0)
    defer { for descriptor in pair { close(descriptor) } }
    #expect(ControlPeer(of: pair[0])?.name.isEmpty == false)
    #expect(ControlPeer(of: -1) == nil)
    #expect(ControlPeer(process: 1, user: 0, login: nil).name == "root")
    #expect(ControlPeer(process: 1, user: 0, login: 0).name == "root")
    #expect(ControlPeer(process: 1, user: 0, login: 4_000_000_001).name == "uid 4000000001 as root")
  }
}
