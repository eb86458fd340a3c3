import Foundation
import Glibc
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("The control socket")
struct ControlServerTests {
  private let list = #"{"version":1,"command":"list"}"# + "\n"

  private func echo(_ command: ControlCommand) -> ControlOutcome? {
    switch command {
    case .end(let id), .show(let id), .extend(let id, _): .failed(.unknownSession(id))
    case .release(let id, _): .released(ControlFixture.overview(id), wasHeld: true)
    case .benign(let id, _): .benign(ControlFixture.overview(id), contacts: [:])
    case .list: .sessions([ControlFixture.overview("one")])
    case .start(let registration): .session(ControlFixture.overview(registration.id))
    case .settle, .types, .status, .overlay, .review: .lives(false)
    }
  }

  @Test("two clients at once get each its own answers, in order")
  func twoClients() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let clients = [try RawClient(fixture.path), try RawClient(fixture.path)]
    for number in 0..<50 {
      for (index, client) in clients.enumerated() {
        client.send(#"{"version":1,"command":"end","id":"\#(index)-\#(number)"}"# + "\n")
      }
      for (index, client) in clients.reversed().enumerated() {
        let response = try #require(try client.response())
        #expect(response.error?.message.contains("'\(1 - index)-\(number)'") == true)
      }
    }
  }

  @Test("requests sent at once, and in pieces of a byte, are answered one by one")
  func pipelined() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let client = try RawClient(fixture.path)
    let text = (0..<5).map { #"{"version":1,"command":"end","id":"\#($0)"}"# + "\n" }.joined()
    client.send(text)
    for number in 0..<5 { #expect(try client.response()?.error?.message.contains("'\(number)'") == true) }
    for byte in text.utf8 { client.send([byte]) }
    for number in 0..<5 { #expect(try client.response()?.error?.message.contains("'\(number)'") == true) }
  }

  @Test("half a line and then silence ends the connection and holds nobody else up")
  func silence() throws {
    let fixture = try ControlFixture()
    try fixture.serve(patience: .milliseconds(300), echo)
    let silent = try RawClient(fixture.path)
    silent.send(#"{"version":1,"#)
    let start = ContinuousClock.now
    #expect(try ControlClient(path: fixture.path).send(ControlRequest(.list)).sessions?.count == 1)
    #expect(ContinuousClock.now - start < .milliseconds(250))
    #expect(silent.line() == nil)
    #expect(ContinuousClock.now - start < .seconds(5))
  }

  @Test("a line of a megabyte is refused without being kept, and the next one is answered")
  func longLine() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let client = try RawClient(fixture.path)
    client.send([UInt8](repeating: 0x61, count: 1 << 20))
    client.send("\n" + list)
    #expect(try client.response()?.error?.code == .tooLong)
    #expect(try client.response()?.sessions?.count == 1)
  }

  @Test("a request as long as allowed is read, one byte more is not")
  func longestLine() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let client = try RawClient(fixture.path)
    let empty = #"{"version":1,"command":"end","id":""}"#.utf8.count
    for (length, code) in [(0, ControlErrorCode.unknownSession), (1, .tooLong)] {
      let id = String(repeating: "x", count: ControlProtocol.maximumRequest - empty + length)
      client.send(#"{"version":1,"command":"end","id":"\#(id)"}"# + "\n")
      #expect(try client.response()?.error?.code == code)
    }
  }

  @Test("more clients than allowed are told so")
  func tooMany() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let clients = try (0..<ControlServer.maximumConnections).map { _ in try RawClient(fixture.path) }
    clients.last?.send(list)
    #expect(try clients.last?.response()?.ok == true)
    let refused = try RawClient(fixture.path)
    #expect(try refused.response()?.error?.code == .tooManyConnections)
    #expect(refused.line() == nil)
  }

  @Test("ten thousand sessions are one answer of less than four megabytes, to a slow reader too")
  func tenThousand() throws {
    let fixture = try ControlFixture()
    let sessions = (0..<10_000).map { ControlFixture.overview("session-number-\($0)") }
    try fixture.serve { _ in .sessions(sessions) }
    let slow = try RawClient(fixture.path)
    slow.send(list)
    let clock = ContinuousClock()
    var count = 0
    var size = 0
    let time = try clock.measure {
      let request = Array(list.utf8)
      let answer = try ControlClient(path: fixture.path).exchange(request)
      size = answer.count
      let response = try JSONDecoder().decode(ControlResponse.self, from: answer)
      let sorted = SessionList.sorted(response.sessions ?? [], by: .budget)
      count = SessionTables.list(sorted, at: 1_800_000_100).count
    }
    print("10,000 sessions: \(size) bytes, listed in \(time)")
    #expect(count == 10_001)
    #expect(size < 4 << 20)
    #expect(time < .seconds(10))
    #expect(slow.line()?.utf8.count == size - 1)
  }

  @Test("the socket is its owner's and group's, from its first moment on, and gone at the end")
  func permissions() throws {
    let fixture = try ControlFixture()
    let listener = try fixture.listener()
    // Not reachable yet, and never wider than at the end.
    #expect(try mode(of: "\(fixture.path).\(getpid())") == 0o660)
    #expect(!FileManager.default.fileExists(atPath: fixture.path))
    listener.remove()
    try fixture.serve(echo)
    #expect(try mode(of: fixture.path) == 0o660)
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory) == ["control.sock"])
    fixture.stop()
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory).isEmpty)
  }

  @Test("without its group the socket is its owner's alone, with a warning")
  func missingGroup() throws {
    let fixture = try ControlFixture()
    let listener = try fixture.listener(group: "no-such-group-here")
    try listener.publish()
    #expect(listener.warning?.contains("no-such-group-here") == true)
    #expect(try mode(of: fixture.path) == 0o600)
  }

  @Test("what a dead daemon left is replaced, a live one is named, and nothing else is touched")
  func stale() throws {
    let fixture = try ControlFixture()
    do {
      let dead = try fixture.listener()
      try dead.publish()
    }
    #expect(FileManager.default.fileExists(atPath: fixture.path))
    try fixture.serve(echo)
    #expect(try ControlClient(path: fixture.path).send(ControlRequest(.list)).ok)
    let failure = #expect(throws: ControlListener.Failure.self) { _ = try fixture.listener() }
    #expect(failure?.description.contains("process \(getpid())") == true)
    #expect(try ControlClient(path: fixture.path).send(ControlRequest(.list)).ok)
    fixture.stop()
    try "mine".write(toFile: fixture.path, atomically: false, encoding: .utf8)
    #expect(throws: ControlListener.Failure.self) { _ = try fixture.listener() }
    #expect(try String(contentsOfFile: fixture.path, encoding: .utf8) == "mine")
  }

  @Test("a daemon removes its own socket only")
  func foreign() throws {
    let fixture = try ControlFixture()
    try fixture.serve(echo)
    let successor = fixture.path + ".new"
    try "successor".write(toFile: successor, atomically: false, encoding: .utf8)
    #expect(unsafe rename(successor, fixture.path) == 0)
    fixture.stop()
    #expect(FileManager.default.fileExists(atPath: fixture.path))
  }

  @Test("without a daemon the client says in one line what to do")
  func noDaemon() throws {
    let fixture = try ControlFixture()
    let missing = #expect(throws: ControlClient.Failure.self) {
      _ = try ControlClient(path: fixture.path).send(ControlRequest(.list))
    }
    #expect(missing?.description.contains("nfq-egressd run") == true)
    #expect(missing?.description.contains("\n") == false)
    do {
      let dead = try fixture.listener()
      try dead.publish()
    }
    #expect(throws: ControlClient.Failure.self) {
      _ = try ControlClient(path: fixture.path).send(ControlRequest(.list))
    }
  }

  private func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }
}
