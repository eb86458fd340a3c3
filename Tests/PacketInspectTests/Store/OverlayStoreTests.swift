import Foundation
import GRDB
import Logging
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Overlays in the store")
struct OverlayStoreTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/state.sqlite" }
  private let now = Timestamp(seconds: 1_800_000_000)

  init() throws { directory = try TemporaryDirectory("overlays") }

  private func change(_ action: OverlayChange.Action, _ overlay: Overlay) -> OverlayChange {
    OverlayChange(
      action: action, overlay: overlay, at: now, author: OverlayAuthor(who: "anna", peer: "root", why: "because"))
  }

  private var examples: [Overlay] {
    [
      Overlay(id: 1, kind: .block, scope: .session("one"), who: "anna", peer: "root", why: "ü", made: now),
      Overlay(
        id: 2, kind: .deny, subject: "192.0.2.0/24", scope: .agentType("research"), made: now,
        expires: now.advanced(byNanoseconds: 5)),
      Overlay(id: 3, kind: .exception, subject: "a.example", scope: .all, made: now),
      Overlay(
        id: 4, kind: .budget,
        budget: BudgetOverride(destinations: 7, uploadBytes: 1 << 50, window: .day, onReach: .hold),
        scope: .session("unattributed-fd00::7"), made: now),
    ]
  }

  @Test("gives back what was written, and forgets what was removed but not its number")
  func roundTrip() throws {
    let store = try SessionStore(path: path)
    try store.write(PendingState(), examples.map { change(.added, $0) }, at: now)
    #expect(try SessionStore(path: path).loadOverlays().sorted == examples)
    try store.write(PendingState(), [change(.removed, examples[3]), change(.expired, examples[1])], at: now)
    var book = try SessionStore(path: path).loadOverlays()
    #expect(book.sorted.map(\.id) == [1, 3])
    let draft = OverlayDraft(kind: .block, scope: .all, author: OverlayAuthor(why: "because"))
    #expect(book.add(draft, at: now)?.last?.overlay.id == 5)
  }

  @Test("leaves a record of every change, which the database itself lets nobody alter")
  func record() throws {
    let store = try SessionStore(path: path)
    let release = OverlayChange.release(of: "demo-1", OverlayAuthor(who: "anna", why: "because"), at: now)
    try store.write(PendingState(), [change(.added, examples[0]), change(.removed, examples[0]), release], at: now)
    #expect(try store.loadOverlays().sorted.isEmpty)
    let rows = try store.pool.read { try Row.fetchAll($0, sql: "SELECT * FROM overlayAudit ORDER BY id") }
    #expect(rows.map { $0["action"] as String } == ["added", "removed", "released"])
    #expect(rows.map { $0["kind"] as String }.last == "mix")
    #expect(rows.map { $0["scope"] as String }.last == "session:demo-1")
    #expect(rows.map { $0["overlay"] as Int64 }.last == 0)
    #expect(rows.map { $0["who"] as String } == ["anna", "anna", "anna"])
    #expect(rows.map { $0["why"] as String } == ["because", "because", "because"])
    #expect(rows.map { $0["at"] as Int64 } == [now.nanoseconds, now.nanoseconds, now.nanoseconds])
    for sql in [
      "UPDATE overlayAudit SET who = 'x'", "DELETE FROM overlayAudit", "DELETE FROM overlayAudit WHERE id = 1",
    ] {
      #expect(throws: DatabaseError.self) { try store.pool.write { try $0.execute(sql: sql) } }
    }
  }

  @Test("a kind of a later release stays in the store and does nothing")
  func unknownKind() throws {
    let store = try SessionStore(path: path)
    try store.write(PendingState(), [change(.added, examples[0])], at: now)
    try store.pool.write { try $0.execute(sql: "UPDATE overlay SET kind = 'category'") }
    #expect(try store.loadOverlays().sorted.isEmpty)
    let kinds = try store.pool.read { try String.fetchAll($0, sql: "SELECT kind FROM overlay") }
    #expect(kinds == ["category"])
  }

  @Test("the writer puts a change on disk and says so")
  func writer() throws {
    let writer = StoreWriter(path: path, log: Logger(label: "test")) { _, _ in }
    let (store, _, _) = writer.start(at: now)
    let thread = try #require(PlainThread { writer.run(store) })
    let ticket = writer.overlays.add([change(.added, examples[2])])
    #expect(writer.overlays.wait(for: ticket, milliseconds: 5_000))
    #expect(try SessionStore(path: path).loadOverlays().sorted == [examples[2]])
    writer.stop()
    thread.join()
  }
}
