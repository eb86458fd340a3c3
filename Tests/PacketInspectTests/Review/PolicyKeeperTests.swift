import Foundation
import Logging
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("The policy with reviewers' decisions over it")
struct PolicyKeeperTests {
  private let fixture = ConfigurationFixture()
  private let now = Timestamp(seconds: 1_800_000_000)

  private final class Reports: Sendable {
    private let kinds = Mutex<[String]>([])
    var all: [String] { kinds.withLock { $0 } }
    func add(_ kind: String) { kinds.withLock { $0.append(kind) } }
  }

  private func keeper(
    _ mailbox: PolicyMailbox, _ reports: Reports, outbox: OverlayOutbox? = nil
  ) throws -> PolicyKeeper {
    let configuration = try fixture.load("mode: enforce\n")
    let compiler = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1)
    let base = CompiledPolicy(
      loaded: configuration, snapshot: PolicySnapshot(compiler.parts(configuration.configuration), epoch: 1))
    return PolicyKeeper(base, OverlayBook(), seed: 1, mailbox: mailbox, outbox: outbox) { kind, _ in reports.add(kind) }
  }

  private func denial(_ name: String, lasts: Int64? = nil) -> OverlayDraft {
    OverlayDraft(
      kind: .deny, subject: name, scope: .all, author: OverlayAuthor(peer: "root", why: "because"), lasts: lasts)
  }

  @Test("every change gives the queue's thread a policy of a later epoch, and is told")
  func epochs() throws {
    let mailbox = PolicyMailbox()
    let reports = Reports()
    let keeper = try keeper(mailbox, reports)
    #expect(mailbox.newer(than: 1) == nil)
    let added = try #require(keeper.add(denial("a.example", lasts: 5), at: now))
    #expect(added.kept == .memory)
    #expect(mailbox.newer(than: 1)?.policy.epoch == 2)
    _ = keeper.add(denial("b.example"), at: now)
    let removed = keeper.remove(OverlayAuthor(peer: "root", why: "over"), at: now) { _ in [2] }
    #expect(removed.overlays.map(\.subject) == ["b.example"])
    #expect(mailbox.newer(than: 3)?.policy.epoch == 4)
    keeper.look(at: now.advanced(byNanoseconds: 4_999_999_999))
    #expect(mailbox.newer(than: 4) == nil)
    keeper.look(at: now.advanced(byNanoseconds: 5_000_000_000))
    #expect(mailbox.newer(than: 4)?.policy.epoch == 5)
    #expect(reports.all == ["overlay-added", "overlay-added", "overlay-removed", "overlay-expired"])
    // What is not there changes nothing.
    #expect(keeper.remove(OverlayAuthor(peer: "root", why: "over"), at: now) { _ in [] }.overlays.isEmpty)
    #expect(mailbox.newer(than: 5) == nil)
  }

  @Test("the release of a shift is told and written down, and changes no policy")
  func release() throws {
    let mailbox = PolicyMailbox()
    let reports = Reports()
    let outbox = OverlayOutbox()
    let keeper = try keeper(mailbox, reports, outbox: outbox)
    #expect(keeper.recordRelease(of: "one", OverlayAuthor(peer: "root", why: "over"), at: now) == .waiting)
    #expect(reports.all == ["mix-released"])
    #expect(outbox.unwritten.map(\.kind) == ["mix"] && mailbox.newer(than: 1) == nil)
  }

  private func benign(
    _ keeper: PolicyKeeper, asked: Asked, _ fields: String = "",
    standing: @escaping @Sendable (String) throws(SessionStore.Failure) -> BenignMix? = { _ in nil }
  ) throws -> ControlResponse {
    var service = ControlService(execute: { _ in
      asked.count.add(1, ordering: .relaxed)
      return .benign(ControlFixture.overview("one"), contacts: ["search": 7, "api": 2])
    })
    service.overlays = OverlayDesk(keeper: keeper, standing: standing)
    let request = Array(
      #"{"version":1,"command":"benign","id":"one","why":"read its log","who":"anna"\#(fields)}"#.utf8)
    return try JSONDecoder().decode(ControlResponse.self, from: Data(service.answer(request[...])))
  }

  private final class Asked: Sendable {
    let count = Atomic(0)
  }

  @Test("a session that was found benign is told and written down, and changes no policy")
  func benign() throws {
    let mailbox = PolicyMailbox()
    let reports = Reports()
    let outbox = OverlayOutbox()
    let response = try benign(try keeper(mailbox, reports, outbox: outbox), asked: Asked())
    #expect(response.contacts == 9 && response.kept == "waiting" && response.session?.id == "one")
    #expect(reports.all == ["session-reviewed"])
    let change = try #require(outbox.unwritten.first)
    #expect(outbox.unwritten.count == 1 && mailbox.newer(than: 1) == nil)
    #expect(change.author == OverlayAuthor(who: "anna", peer: "unknown", why: "read its log"))
    let overview = ControlFixture.overview("one")
    #expect(
      change.mix
        == BenignMix(
          session: "one", started: overview.started, agentType: "research", contacts: ["search": 7, "api": 2]))
    #expect(change.event.figures.map(\.name) == ["scope", "disposition", "who", "why"])
  }

  @Test("a verdict that is withdrawn is told and written down without contacts, and no session is asked for it")
  func withdrawn() throws {
    let reports = Reports()
    let outbox = OverlayOutbox()
    let asked = Asked()
    let keeper = try keeper(PolicyMailbox(), reports, outbox: outbox)
    let mix = BenignMix(session: "one", started: now, agentType: "research", contacts: ["search": 7, "api": 2])
    let withdraw = #","withdraw":true"#
    let response = try benign(keeper, asked: asked, withdraw) { _ throws(SessionStore.Failure) in mix }
    #expect(response.contacts == 9 && response.kept == "waiting" && response.session == nil)
    let change = try #require(outbox.unwritten.first)
    #expect(change.mix == mix.withdrawn && change.mix?.contacts.isEmpty == true && change.mix?.started == now)
    #expect(change.event.kind == "session-reviewed")
    #expect(change.event.figures.contains { $0.name == "disposition" && $0.value == .text("benign-withdrawn") })
    #expect(try benign(keeper, asked: asked, withdraw).error?.code == .noVerdict)
    let unread = try benign(keeper, asked: asked, withdraw) { _ throws(SessionStore.Failure) in
      throw .unavailable("away")
    }
    #expect(unread.error?.code == .storeUnreadable)
    #expect(try benign(try self.keeper(PolicyMailbox(), reports), asked: asked, withdraw).error?.code == .noStore)
    #expect(outbox.unwritten.count == 1 && asked.count.load(ordering: .relaxed) == 0)
  }

  @Test("without a store, or while too much waits for it, nobody is asked about a session found benign")
  func benignNowhere() throws {
    let asked = Asked()
    let reports = Reports()
    #expect(try benign(try keeper(PolicyMailbox(), reports), asked: asked).error?.code == .noStore)
    let outbox = OverlayOutbox()
    let release = OverlayChange.release(of: "one", OverlayAuthor(why: "over"), at: now)
    _ = outbox.add(Array(repeating: release, count: OverlayOutbox.capacity))
    let full = try benign(try keeper(PolicyMailbox(), reports, outbox: outbox), asked: asked)
    #expect(full.error?.code == .tooManyOverlays)
    #expect(asked.count.load(ordering: .relaxed) == 0 && reports.all.isEmpty)
  }

  @Test("a reload keeps the overlays")
  func reload() throws {
    let mailbox = PolicyMailbox()
    let keeper = try keeper(mailbox, Reports())
    _ = keeper.add(denial("a.example"), at: now)
    let configuration = try fixture.load("mode: enforce\ndenyExceptions: [b.example]\n")
    let compiler = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1)
    let fresh = CompiledPolicy(
      loaded: configuration, snapshot: PolicySnapshot(compiler.parts(configuration.configuration), epoch: 1))
    #expect(keeper.replaceBase(fresh).epoch == 3)
    #expect(keeper.overlays.map(\.subject) == ["a.example"])
    #expect(mailbox.newer(than: 2)?.policy.epoch == 3)
  }

  @Test("what cannot be written acts, waits for the disk, and is refused when too much waits")
  func waiting() throws {
    let outbox = OverlayOutbox()
    let keeper = try keeper(PolicyMailbox(), Reports(), outbox: outbox)
    #expect(keeper.add(denial("a.example"), at: now)?.kept == .waiting)
    #expect(outbox.unwritten.map(\.overlay.subject) == ["a.example"])
    let change = try #require(outbox.unwritten.first)
    _ = outbox.add(Array(repeating: change, count: OverlayOutbox.capacity))
    #expect(keeper.add(denial("b.example"), at: now) == nil)
    outbox.confirm(2)
    #expect(!outbox.isEmpty)
  }
}
