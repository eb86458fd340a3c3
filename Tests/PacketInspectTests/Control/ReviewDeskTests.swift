import Foundation
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("The review queue on the control socket")
struct ReviewDeskTests {
  private let fixture = ConfigurationFixture()
  private let directory: TemporaryDirectory
  private let store: SessionStore
  private let keeper: PolicyKeeper
  private let outbox = OverlayOutbox()
  private let executed = Executed()

  private final class Executed: Sendable {
    let commands = Mutex<[ControlCommand]>([])
    let answer = Mutex<ControlOutcome?>(nil)
    func run(_ command: ControlCommand) -> ControlOutcome? {
      commands.withLock { $0.append(command) }
      return answer.withLock { $0 }
    }
  }

  init() throws {
    directory = try TemporaryDirectory("review-desk")
    store = try SessionStore(path: directory.path + "/state.sqlite")
    let configuration = try fixture.load("mode: enforce\n")
    let compiler = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1)
    let base = CompiledPolicy(
      loaded: configuration, snapshot: PolicySnapshot(compiler.parts(configuration.configuration), epoch: 1))
    keeper = PolicyKeeper(base, OverlayBook(), seed: 1, mailbox: PolicyMailbox(), outbox: outbox) { _, _ in }
  }

  private var service: ControlService {
    let path = directory.path + "/state.sqlite"
    let execute = { @Sendable [executed] command in executed.run(command) }
    var service = ControlService(execute: execute)
    let overlays = OverlayDesk(keeper: keeper)
    service.overlays = overlays
    service.reviews = ReviewDesk(
      overlays: overlays, execute: execute,
      readCases: { id throws(SessionStore.Failure) in try SessionStore.reviewCases(of: id, path: path) },
      readFlags: { id, number throws(SessionStore.Failure) in
        try SessionStore.flags(of: id, after: number, limit: 10, path: path)
      })
    return service
  }

  private func raise(_ id: UInt64, _ kind: FlagKind = .drip) throws {
    var pending = PendingState()
    let flag = ReviewFlag(id: id, kind: kind, summary: "flag \(id)", evidence: [FlagEvidence("bytes", 7)])
    pending.add(.flag(RaisedFlag(session: "one", time: Timestamp(seconds: 1_800_000_000), flag: flag)))
    try store.write(pending, at: Timestamp(seconds: 1_800_000_000))
  }

  private func ask(_ fields: String) throws -> ControlResponse {
    let line = Array(#"{"version":1,"command":"review-\#(fields)}"#.utf8)
    return try JSONDecoder().decode(ControlResponse.self, from: Data(service.answer(line[...])))
  }

  private func act(_ fields: String, seen: String) throws -> ControlResponse {
    try ask(#"act","id":"one","why":"because","seen":"\#(seen)",\#(fields)"#)
  }

  @Test("shows an item with its evidence, and says who has none")
  func show() throws {
    try raise(7)
    let shown = try ask(#"show","id":"one""#)
    #expect(shown.review?.version == "7.0" && shown.review?.state == "open")
    #expect(shown.flags?.first?.evidence == [ControlFlag.Evidence(name: "bytes", count: 7)])
    #expect(try ask(#"show","id":"two""#).error?.code == .notFlagged)
    #expect(try ask(#"list""#).reviews?.map(\.id) == ["one"])
    #expect(try ask(#"list","state":"resolved""#).reviews == [])
    var without = service
    without.reviews = nil
    let answer = without.answer(Array(#"{"version":1,"command":"review-list"}"#.utf8)[...])
    #expect(try JSONDecoder().decode(ControlResponse.self, from: Data(answer)).error?.code == .noStore)
  }

  @Test("takes steps one after the other, though none is on disk yet, and writes them")
  func steps() throws {
    try raise(7)
    let acknowledged = try act(#""action":"acknowledge","who":"anna""#, seen: "7.0")
    #expect(acknowledged.kept == "waiting" && acknowledged.review?.state == "acknowledged")
    #expect(acknowledged.review?.version == "7.1" && acknowledged.review?.step?.who == "anna")
    let late = try act(#""action":"resolve","disposition":"confirmed""#, seen: "7.0")
    #expect(late.error?.code == .changed && late.steps?.map(\.who) == ["anna"] && late.flags == [])
    let resolved = try act(#""action":"resolve","disposition":"confirmed""#, seen: "7.1")
    #expect(resolved.review?.state == "resolved")
    #expect(try act(#""action":"acknowledge""#, seen: "7.2").error?.code == .alreadyResolved)
    try store.write(PendingState(), outbox.unwritten, at: Timestamp(seconds: 1_800_000_001))
    outbox.confirm(outbox.unwritten.count)
    #expect(try ask(#"show","id":"one""#).steps?.map(\.action) == ["acknowledged", "resolved"])
  }

  @Test("refuses what rests on an older state, shows what is new, and does nothing")
  func changed() throws {
    try raise(7)
    try raise(8, .beacon)
    let refused = try act(#""action":"resolve","disposition":"block""#, seen: "7.0")
    #expect(!refused.ok && refused.error?.code == .changed && refused.review?.version == "8.0")
    #expect(refused.flags?.map(\.kind) == ["beacon"])
    #expect(keeper.overlays.isEmpty && outbox.unwritten.isEmpty)
  }

  @Test("puts up the overlay of a block or denial, names it in the record, and ends with it")
  func overlays() throws {
    try raise(7)
    let denied = try act(
      #""action":"resolve","disposition":"deny","subject":"paste.example","lasts":60"#, seen: "7.0")
    let overlay = try #require(keeper.overlays.first)
    #expect(overlay.kind == .deny && overlay.scope == .session("one") && overlay.expires != nil)
    #expect(denied.review?.step?.overlay == overlay.id)
    #expect(denied.review?.step?.subject == "paste.example, session:one")
    #expect(denied.review?.step?.expires == denied.overlay?.expires)
    let blocked = try act(#""action":"resolve","disposition":"block""#, seen: "7.1")
    #expect(blocked.overlay?.kind == "block" && keeper.overlays.count == 2)
  }

  @Test("extends by the session's own command, and takes no step where that is refused")
  func extend() throws {
    try raise(7)
    executed.answer.withLock { $0 = .failed(.unknownSession("one")) }
    let fields = #""action":"resolve","disposition":"extend","destinations":50"#
    #expect(try act(fields, seen: "7.0").error?.code == .unknownSession)
    executed.answer.withLock { $0 = nil }
    #expect(try act(fields, seen: "7.0").error?.code == .busy)
    #expect(outbox.unwritten.isEmpty)
    executed.answer.withLock { $0 = .session(ControlFixture.overview("one", ceiling: 60)) }
    let extended = try act(fields, seen: "7.0")
    #expect(extended.session?.budget.ceiling == 60 && extended.review?.step?.subject == "50 destinations")
    #expect(executed.commands.withLock { $0 } == Array(repeating: .extend("one", by: 50), count: 3))
  }

  @Test("teaches the baseline by a benign session, and resolves it where there is nothing to learn")
  func benign() throws {
    try raise(7)
    let fields = #""action":"resolve","disposition":"benign""#
    executed.answer.withLock { $0 = .failed(.noBaseline("research")) }
    let without = try act(fields, seen: "7.0")
    #expect(without.ok && without.contacts == 0 && without.review?.state == "resolved")
    #expect(outbox.unwritten.map(\.action) == [.resolved])
    executed.answer.withLock { $0 = .benign(ControlFixture.overview("one"), contacts: ["api": 9]) }
    #expect(try act(fields, seen: "7.1").contacts == 9)
    #expect(outbox.unwritten.map(\.action) == [.resolved, .benign, .resolved])
    #expect(outbox.unwritten[1].mix?.contacts == ["api": 9])
  }

  @Test(
    "is asked strictly",
    arguments: [
      #""action":"resolve""#, #""action":"resolve","disposition":"fine""#, #""action":"sleep""#,
      #""action":"acknowledge","disposition":"block""#, #""action":"acknowledge","lasts":5"#,
      #""action":"resolve","disposition":"extend""#, #""action":"resolve","disposition":"extend","destinations":0"#,
      #""action":"resolve","disposition":"block","destinations":5"#, #""action":"resolve","disposition":"deny""#,
      #""action":"resolve","disposition":"deny","subject":"no host""#,
      #""action":"resolve","disposition":"block","scope":"all""#,
      #""action":"resolve","disposition":"confirmed","subject":"a.example""#, #""action":"acknowledge","x":1"#,
    ])
  func strict(fields: String) throws {
    try raise(7)
    let refused = try act(fields, seen: "7.0")
    #expect(refused.error?.code == .badRequest)
    #expect(keeper.overlays.isEmpty && outbox.unwritten.isEmpty)
  }

  @Test("wants to know what was seen")
  func seen() throws {
    try raise(7)
    for seen in ["", "7", "seven"] {
      #expect(try act(#""action":"acknowledge""#, seen: seen).error?.code == .badRequest)
    }
    #expect(try ask(#"act","id":"one","why":"w","action":"acknowledge""#).error?.code == .badRequest)
    #expect(try ask(#"list","state":"shut""#).error?.code == .badRequest)
  }
}
