import Foundation
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("The control protocol")
struct ControlServiceTests {
  private func command(_ text: String) throws(ControlError) -> ControlCommand {
    var service = ControlService(execute: { _ in nil })
    service.cgroup = { process throws(ControlError) in
      if process == 7 { return "/agents.slice/seven.scope" }
      throw ControlError(.noSuchProcess, "")
    }
    return try service.command(Data(text.utf8))
  }

  private func code(_ text: String) -> ControlErrorCode? {
    do throws(ControlError) {
      _ = try command(text)
      return nil
    } catch {
      return error.code
    }
  }

  @Test("each command is read with its fields")
  func commands() throws {
    let start =
      #"{"version":1,"command":"start","id":"a","agent_type":"t","addresses":["10.0.0.7","fd00::/64"],"#
      + #""cgroups":["/x//y/"],"pids":[7]}"#
    #expect(
      try command(start)
        == .start(
          SessionRegistration(
            id: "a", agentType: "t", sources: [IPNetwork("10.0.0.7"), IPNetwork("fd00::/64")].compactMap { $0 },
            cgroups: ["/x/y", "/agents.slice/seven.scope"])))
    #expect(try command(#"{"version":1,"command":"end","id":"a"}"#) == .end("a"))
    #expect(
      try command(#"{"command":"show","id":"unattributed-fe80::1","version":1}"#) == .show("unattributed-fe80::1"))
    #expect(try command(#"{"version":1,"command":"list"}"#) == .list(agentType: nil))
    #expect(try command(#"{"version":1,"command":"list","agent_type":"t"}"#) == .list(agentType: "t"))
    #expect(try command(#"{"version":1,"command":"extend","id":"a","destinations":5}"#) == .extend("a", by: 5))
    #expect(
      try command(#"{"version":1,"command":"release","id":"a","why":"w","who":"anna"}"#)
        == .release("a", OverlayAuthor(who: "anna", why: "w")))
    #expect(
      try command(#"{"version":1,"command":"benign","id":"a","why":"w"}"#) == .benign("a", OverlayAuthor(why: "w")))
    #expect(
      try command(#"{"version":1,"command":"benign","id":"a","why":"w","withdraw":false}"#)
        == .benign("a", OverlayAuthor(why: "w")))
    #expect(
      try command(#"{"version":1,"command":"benign","id":"a","why":"w","who":"anna","withdraw":true}"#)
        == .overlay(.withdrawBenign("a", OverlayAuthor(who: "anna", why: "w"))))
  }

  @Test("what a client encodes, the daemon reads")
  func encoded() throws {
    var request = ControlRequest(.start, id: "a")
    request.agentType = "t"
    request.addresses = ["10.0.0.7"]
    let text = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
    #expect(
      try command(text)
        == .start(SessionRegistration(id: "a", agentType: "t", sources: [#require(IPNetwork("10.0.0.7"))])))
  }

  @Test(
    "what is wrong has its code",
    arguments: [
      ("", ControlErrorCode.badRequest), ("[]", .badRequest), ("{", .badRequest), ("nonsense", .badRequest),
      ("{}", .badRequest), (#"{"command":"list"}"#, .badRequest), (#"{"version":1}"#, .badRequest),
      (#"{"version":"1","command":"list"}"#, .badRequest), (#"{"version":2,"command":"list"}"#, .unsupportedVersion),
      (#"{"version":0,"command":"brew","x":1}"#, .unsupportedVersion),
      (#"{"version":1,"command":"brew"}"#, .unknownCommand),
      (#"{"version":1,"command":"list","id":"a"}"#, .badRequest), (#"{"version":1,"command":"end"}"#, .badRequest),
      (#"{"version":1,"command":"end","id":7}"#, .badRequest),
      (#"{"version":1,"command":"end","id":null}"#, .badRequest),
      (#"{"version":1,"command":"extend","id":"a"}"#, .badRequest),
      (#"{"version":1,"command":"extend","id":"a","destinations":0}"#, .badRequest),
      (#"{"version":1,"command":"extend","id":"a","destinations":1000001}"#, .badRequest),
      (#"{"version":1,"command":"extend","id":"a","destinations":1e400}"#, .badRequest),
      (#"{"version":1,"command":"release","id":"a"}"#, .badRequest),
      (#"{"version":1,"command":"release","why":"w"}"#, .badRequest),
      (#"{"version":1,"command":"benign","id":"a"}"#, .badRequest),
      (#"{"version":1,"command":"benign","id":"a","withdraw":true}"#, .badRequest),
      (#"{"version":1,"command":"benign","id":"a","why":"w","withdraw":"yes"}"#, .badRequest),
      (#"{"version":1,"command":"release","id":"a","why":"w","withdraw":true}"#, .badRequest),
    ])
  func faults(text: String, expected: ControlErrorCode) {
    #expect(code(text) == expected)
  }

  @Test(
    "a start that would not mean what was meant is refused",
    arguments: [
      (#""id":"a""#, ControlErrorCode.badRequest), (#""id":"a","addresses":[]"#, .badRequest),
      (#""id":"a","adresses":["10.0.0.1"]"#, .badRequest), (#""id":"a b","addresses":["10.0.0.1"]"#, .badRequest),
      (#""id":"unattributed-10.0.0.1","addresses":["10.0.0.1"]"#, .badRequest),
      (#""id":"resolver","addresses":["10.0.0.1"]"#, .badRequest),
      (#""id":"a","addresses":["10.0.0.300"]"#, .badRequest), (#""id":"a","addresses":["10.0.0.1/24"]"#, .badRequest),
      (#""id":"a","addresses":["0.0.0.0/0"]"#, .badRequest), (#""id":"a","cgroups":["/"]"#, .badRequest),
      (#""id":"a","cgroups":["relative"]"#, .badRequest), (#""id":"a","cgroups":["/a/../b"]"#, .badRequest),
      (#""id":"a","pids":[8]"#, .noSuchProcess), (#""id":"a","pids":[99999999999]"#, .badRequest),
    ])
  func starts(fields: String, expected: ControlErrorCode) {
    #expect(code(#"{"version":1,"command":"start","agent_type":"t",\#(fields)}"#) == expected)
  }

  @Test("an answer is one line, tells what the core refused, and says when nobody carried it out")
  func answers() throws {
    let request = Array(#"{"version":1,"command":"end","id":"a"}"#.utf8)
    let cases: [(SessionCommandError, ControlErrorCode)] = [
      (.unknownSession("a\nb"), .unknownSession), (.unknownAgentType("t"), .unknownAgentType),
      (.otherAgentType("t"), .otherAgentType), (.tooMany, .tooManySessions),
      (.cgroupTaken("/x", by: "b"), .cgroupTaken), (.noBaseline("t"), .noBaseline), (.noContacts("a"), .noContacts),
      (.sourceTaken(try #require(IPNetwork("10.0.0.7")), by: "b"), .sourceTaken),
    ]
    for (refusal, code) in cases {
      let line = ControlService(execute: { _ in .failed(refusal) }).answer(request[...])
      #expect(line.filter { $0 == 0x0a }.count == 1 && line.last == 0x0a)
      let response = try JSONDecoder().decode(ControlResponse.self, from: Data(line))
      #expect(response.error?.code == code)
      #expect(!response.ok && response.version == 1)
    }
    let nobody = try JSONDecoder().decode(
      ControlResponse.self, from: Data(ControlService(execute: { _ in nil }).answer(request[...])))
    #expect(nobody.error?.code == .busy)
  }

  @Test("the control group of a process is its v2 one, on hybrid hosts too")
  func cgroups() throws {
    #expect(ProcessCgroup.path(inProcFile: "0::/agents.slice/a.scope\n") == "/agents.slice/a.scope")
    #expect(ProcessCgroup.path(inProcFile: "12:net_cls:/x\n1:name=systemd:/y\n0::/z\n") == "/z")
    #expect(ProcessCgroup.path(inProcFile: "1:name=systemd:/y\n") == nil)
    #expect(ProcessCgroup.path(inProcFile: "0::/gone (deleted)\n") == "/gone")
    #expect(throws: ControlError.self) { try ProcessCgroup.path(of: -1) }
    #expect(throws: ControlError.self) { try ProcessCgroup.path(of: Int32.max) }
  }
}

@Suite("Commands on their way to the queue's thread")
struct ControlMailboxTests {
  @Test("a command is carried out by the one who looks, and its outcome comes back")
  func carriedOut() {
    let mailbox = ControlMailbox()
    let done = Atomic(false)
    let queue = Thread {
      while !done.load(ordering: .acquiring) {
        for ticket in mailbox.take() {
          guard case .end(let id) = ticket.command else { continue }
          ticket.answer(.failed(.unknownSession(id)))
        }
        usleep(1_000)
      }
    }
    queue.start()
    for number in 0..<20 {
      let outcome = mailbox.perform(.end("\(number)"), milliseconds: 5_000) {}
      guard case .failed(.unknownSession("\(number)")) = outcome else {
        Issue.record("\(String(describing: outcome))")
        continue
      }
    }
    done.store(true, ordering: .releasing)
  }

  @Test("a command that nobody looked at in time is never carried out")
  func abandoned() {
    let mailbox = ControlMailbox()
    let outcome = mailbox.perform(.end("a"), milliseconds: 10) {}
    if case .some = outcome { Issue.record("carried out") }
    #expect(mailbox.take().isEmpty)
  }

  @Test("a burst is carried out in pieces")
  func burst() async {
    let mailbox = ControlMailbox()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<3 {
        group.addTask {
          await withCheckedContinuation { continuation in
            Thread.detachNewThread {
              for _ in 0..<10 { _ = mailbox.perform(.end("\(number)"), milliseconds: 10_000) {} }
              continuation.resume()
            }
          }
        }
      }
      group.addTask {
        var left = 30
        while left > 0 {
          let tickets = mailbox.take()
          #expect(tickets.count <= ControlMailbox.commandsPerLook)
          for ticket in tickets { ticket.answer(.sessions([])) }
          left -= tickets.count
          await Task.yield()
        }
      }
    }
    #expect(mailbox.take().isEmpty)
  }
}
