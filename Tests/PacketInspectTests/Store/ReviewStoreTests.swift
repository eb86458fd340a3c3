import Foundation
import GRDB
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The review queue in the store")
struct ReviewStoreTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/state.sqlite" }
  private let now = Timestamp(seconds: 1_800_000_000)

  init() throws { directory = try TemporaryDirectory("review") }

  private func flag(
    _ session: String, _ id: UInt64, _ kind: FlagKind, _ evidence: [FlagEvidence] = []
  ) -> StateChange {
    .flag(
      RaisedFlag(
        session: session, time: now.advanced(byNanoseconds: Int64(id)),
        flag: ReviewFlag(id: id, kind: kind, summary: "flag \(id)", evidence: evidence)))
  }

  private func write(_ store: SessionStore, _ changes: [StateChange], _ records: [ReviewRecord] = []) throws {
    var pending = PendingState()
    for change in changes { pending.add(change) }
    try store.write(pending, records.map(\.change), at: now)
  }

  private func record(
    _ session: String, _ number: UInt64, _ action: ReviewAction, flag: UInt64, overlay: UInt64? = nil
  ) -> ReviewRecord {
    ReviewRecord(
      session: session,
      step: ReviewStep(
        number: number, action: action, flag: flag, at: now, expires: now.advanced(byNanoseconds: 5), overlay: overlay),
      author: OverlayAuthor(who: "anna", peer: "root", why: "read its log"), matter: "a.example, all")
  }

  @Test("gives each flagged session as one item, with its type, its flags and its record")
  func cases() throws {
    let store = try SessionStore(path: path)
    let state = SessionState(
      id: "one", agentType: "research", attribution: .registeredAddress, started: now, lastSeen: now)
    let records = [record("one", 1, .acknowledge, flag: 3), record("one", 2, .resolve(.deny), flag: 3, overlay: 9)]
    try write(
      store,
      [
        .session(state), flag("one", 1, .drip), flag("one", 2, .drip), flag("one", 3, .evasion),
        flag("one", 4, .denyHit, [FlagEvidence("overlay", 9), FlagEvidence("entry", "a.example")]),
        flag("two", 5, .oddPort),
      ], records)
    let cases = try SessionStore.reviewCases(path: path).sorted { $0.item.session < $1.item.session }
    #expect(cases.map(\.item.session) == ["one", "two"])
    #expect(cases.map(\.agentType) == ["research", nil])
    #expect(cases.map(\.item.flags) == [4, 1])
    #expect(cases[0].records == records && cases[1].records.isEmpty)
    #expect(cases[0].item.version == ReviewVersion(flag: 3, step: 2))
    #expect(cases[0].item.state(at: now) == .resolved)
    #expect(cases[0].item.first == now.advanced(byNanoseconds: 1))
    #expect(cases[0].item.last == now.advanced(byNanoseconds: 4))
    #expect(try SessionStore.reviewCases(of: "one", path: path) == [cases[0]])
    #expect(try SessionStore.reviewCases(of: "nobody", path: path).isEmpty)
    // A record that is met in the store and on its way there counts once.
    #expect(cases[0].adding([records[1], record("two", 1, .acknowledge, flag: 5)]) == cases[0])
    #expect(cases[1].adding([record("two", 1, .acknowledge, flag: 5)]).item.state(at: now) == .acknowledged)
  }

  @Test("has the flags after one that was seen, the latest where they are many")
  func flags() throws {
    let store = try SessionStore(path: path)
    try write(store, (1...5).map { flag("one", $0, .drip) } + [flag("two", 6, .drip)])
    func ids(after number: UInt64, limit: Int = 10) throws -> [UInt64] {
      try SessionStore.flags(of: "one", after: number, limit: limit, path: path).map(\.flag.id)
    }
    #expect(try ids(after: 0) == [1, 2, 3, 4, 5])
    #expect(try ids(after: 3) == [4, 5])
    #expect(try ids(after: 0, limit: 2) == [4, 5])
    #expect(try ids(after: 5).isEmpty)
  }

  @Test("has a record of who and why that the database itself lets nobody alter")
  func audit() throws {
    let store = try SessionStore(path: path)
    try write(store, [], [record("one", 1, .resolve(.block), flag: 3, overlay: 9)])
    let row = try #require(try store.pool.read { try Row.fetchOne($0, sql: "SELECT * FROM reviewAudit") })
    let texts = ["session", "action", "disposition", "matter", "who", "peer", "why"].map { row[$0] as String }
    #expect(texts == ["one", "resolved", "block", "a.example, all", "anna", "root", "read its log"])
    #expect((row["overlay"] as Int64) == 9 && (row["flag"] as Int64) == 3)
    for sql in ["UPDATE reviewAudit SET who = 'nobody'", "DELETE FROM reviewAudit"] {
      #expect(throws: DatabaseError.self) { try store.pool.write { try $0.execute(sql: sql) } }
    }
    // Neither is it taken for an overlay.
    #expect(try store.loadOverlays().sorted.isEmpty)
  }

  @Test("lists five thousand flagged sessions quickly")
  func many() throws {
    let store = try SessionStore(path: path)
    var changes: [StateChange] = []
    for session in 0..<5_000 {
      for kind in 0..<6 {
        changes.append(flag("s\(session)", UInt64(session * 6 + kind + 1), FlagKind.allCases[kind % 3]))
      }
    }
    try write(
      store, Array(changes[..<16_000]), (500..<5_000).map { record("s\($0)", 1, .acknowledge, flag: .max >> 1) })
    try write(store, Array(changes[16_000...]))
    let clock = ContinuousClock()
    var open = 0
    let time = try clock.measure {
      open = ReviewQueue(try SessionStore.reviewCases(path: path).map(\.item)).items(in: [.open], at: now).count
    }
    // The steps ended five nanoseconds after `now`, the items are acknowledged.
    #expect(open == 500)
    // Of a debug build on a busy machine; a release build takes some tens of milliseconds.
    #expect(time < .seconds(5))
  }
}
