import Foundation
import GRDB
import Logging
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The session store")
struct SessionStoreTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/state.sqlite" }
  private let now = Timestamp(seconds: 1_800_000_000)

  init() throws { directory = try TemporaryDirectory("store") }

  private func state(_ id: String, warned: Bool = false) -> SessionState {
    SessionState(
      id: id, agentType: "research", attribution: .address, started: now, lastSeen: now, warned: warned,
      overflow: UInt64.max, sources: [IPNetwork("10.88.0.0/24"), IPNetwork("fd00:88::7")].compactMap { $0 },
      cgroups: ["/agents.slice/one two.scope"],
      budget: BudgetOverride(destinations: 5, uploadBytes: 1 << 40, window: .day, onReach: .hold),
      mix: warned ? [1, 0, 255] : [])
  }

  private func record(_ contacts: UInt32) -> DestinationRecord {
    DestinationRecord(firstSeen: now, lastSeen: now, contacts: contacts, evidence: .dnsQuery)
  }

  @Test("gives back what was written, whatever kind of destination it is")
  func roundTrip() throws {
    let keys: [DestinationKey] = [
      .domain("example.com"), .domain("1.2.3.4"), .domain("a\\032b"), .v4(0x5db8_d80a), .v6(0x2606_2800_0220_0001),
    ]
    var pending = PendingState()
    pending.add(.session(state("one", warned: true)))
    for key in keys { pending.add(.destination(session: "one", key: key, record: record(3))) }
    try SessionStore(path: path).write(pending, at: now)
    let stored = try SessionStore(path: path).load()
    #expect(stored.count == 1)
    #expect(stored.first?.state == state("one", warned: true))
    #expect(stored.first?.destinations == Dictionary(uniqueKeysWithValues: keys.map { ($0, record(3)) }))
  }

  @Test("keeps flags as they were raised, each once, and forgets them with their session")
  func flags() throws {
    let raised = FlagKind.allCases.enumerated().map { number, kind in
      RaisedFlag(
        session: "one", time: now,
        flag: ReviewFlag(
          id: UInt64(number) + 1 << 52, kind: kind, summary: "Twelve \"names\" under good.example.",
          evidence: [FlagEvidence("z", 12), FlagEvidence("a", "good.example"), FlagEvidence("b", 0)]))
    }
    let store = try SessionStore(path: path)
    var pending = PendingState()
    var ended = state("one")
    ended.ended = now
    pending.add(.session(ended))
    for flag in raised + raised { pending.add(.flag(flag)) }
    try store.write(pending, at: now)
    #expect(try SessionStore(path: path).flags(of: "one") == raised)
    #expect(try store.flags(of: "two").isEmpty)
    _ = try store.prune(endedBefore: now.advanced(byNanoseconds: 1))
    #expect(try store.flags(of: "one").isEmpty)
  }

  @Test("gives a session nothing of another that had its id before, however close they follow")
  func successor() throws {
    var pending = PendingState()
    var former = state("one")
    former.ended = now
    pending.add(.session(former))
    pending.add(.destination(session: "one", key: .domain("former.example"), record: record(1)))
    let later = now.advanced(byNanoseconds: 1_000_000)
    pending.add(
      .session(SessionState(id: "one", agentType: "x", attribution: .address, started: later, lastSeen: later)))
    pending.add(.destination(session: "one", key: .domain("own.example"), record: record(1)))
    try SessionStore(path: path).write(pending, at: now)
    let stored = try SessionStore(path: path).load()
    #expect(stored.map(\.state.started) == [later])
    #expect(stored.first?.destinations.keys.map(\.text) == ["own.example"])
  }

  @Test("holds so many flags and no more while there is no disk")
  func flagsWithoutDisk() {
    var pending = PendingState()
    let flag = ReviewFlag(id: 1, kind: .beacon, summary: "", evidence: [])
    for _ in 0..<PendingState.maximumFlags + 100 {
      pending.add(.flag(RaisedFlag(session: "one", time: now, flag: flag)))
    }
    #expect(pending.count == PendingState.maximumFlags)
  }

  @Test("forgets ended sessions in small batches, and does not load them")
  func pruning() throws {
    let store = try SessionStore(path: path)
    var pending = PendingState()
    let ends: [(String, Timestamp?)] = [
      ("live", nil), ("old", now), ("older", now), ("late", now.advanced(byNanoseconds: 50)),
    ]
    for (id, ended) in ends {
      var session = state(id)
      session.ended = ended
      pending.add(.session(session))
      for key in UInt32(0)..<25 { pending.add(.destination(session: id, key: .v4(key), record: record(1))) }
    }
    try store.write(pending, at: now)
    #expect(try store.load().map(\.state.id) == ["live"])
    #expect(try store.load().first?.destinations.count == 25)
    var batches: [Int] = []
    repeat {
      batches.append(try store.prune(endedBefore: now.advanced(byNanoseconds: 1), batch: 10))
    } while batches.last == 10
    #expect(batches.reduce(0, +) == 52 && batches.allSatisfy { $0 <= 11 })
    let left = try store.pool.read { database in
      (
        try String.fetchAll(database, sql: "SELECT id FROM session ORDER BY id"),
        try String.fetchAll(database, sql: "SELECT DISTINCT session FROM destination ORDER BY session")
      )
    }
    #expect(left.0 == ["late", "live"] && left.1 == ["late", "live"])
  }

  @Test("keeps the latest of each thing, and forgets what was withdrawn")
  func latest() throws {
    var pending = PendingState()
    pending.add(.session(state("one")))
    for contacts in 1...5 {
      pending.add(.destination(session: "one", key: .domain("example.com"), record: record(UInt32(contacts))))
    }
    pending.add(.destination(session: "one", key: .v4(1), record: record(1)))
    #expect(pending.count == 3)
    let store = try SessionStore(path: path)
    try store.write(pending, at: now)
    var later = PendingState()
    later.add(.withdrawn(session: "one", key: .v4(1)))
    try store.write(later, at: now)
    let destinations = try #require(try store.load().first?.destinations)
    #expect(destinations == [.domain("example.com"): record(5)])
  }

  @Test("tells how long nobody counted, and whether that was a stop or a crash")
  func unobserved() throws {
    let store = try SessionStore(path: path)
    #expect(try store.noteStart(at: now) == nil)
    let afterCrash = try #require(try store.noteStart(at: now.advanced(byNanoseconds: 5_000_000_000)))
    #expect(afterCrash.reason == .crashed)
    #expect(afterCrash.end - afterCrash.start == 5_000_000_000)
    try store.noteStop(at: now.advanced(byNanoseconds: 6_000_000_000))
    #expect(try store.noteStart(at: now.advanced(byNanoseconds: 7_000_000_000))?.reason == .stopped)
  }

  @Test("sets a damaged file aside, never deletes it, and begins a new one")
  func corrupt() throws {
    let rubbish = Data((0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    try rubbish.write(to: URL(fileURLWithPath: path))
    let writer = StoreWriter(path: path, log: Logger(label: "test")) { _, _ in }
    let (store, sessions, _) = writer.start(at: now)
    #expect(store != nil)
    #expect(sessions.isEmpty)
    let aside = try #require(
      try FileManager.default.contentsOfDirectory(atPath: directory.path).first { $0.contains(".corrupt-") })
    #expect(FileManager.default.contents(atPath: directory.path + "/" + aside) == rubbish)
  }

  @Test("goes on without a place to write, and writes everything when there is one")
  func unavailable() throws {
    let missing = directory.path + "/later/state.sqlite"
    let writer = StoreWriter(path: missing, log: Logger(label: "test")) { _, _ in }
    let (store, sessions, _) = writer.start(at: now)
    #expect(store == nil)
    #expect(sessions.isEmpty)
    let thread = Thread { writer.run(store) }
    thread.start()
    writer.ring.add(.session(state("one")))
    usleep(200_000)
    try FileManager.default.createDirectory(atPath: directory.path + "/later", withIntermediateDirectories: true)
    var found: [StoredSession] = []
    for _ in 0..<100 where found.isEmpty {
      usleep(100_000)
      if FileManager.default.fileExists(atPath: missing) { found = (try? SessionStore(path: missing).load()) ?? [] }
    }
    writer.stop()
    #expect(found.map(\.state.id) == ["one"])
    #expect(writer.takeEverythingWanted())
    #expect(!writer.takeEverythingWanted())
  }
}
