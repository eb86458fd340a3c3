import Foundation
import GRDB
import Logging
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("Sessions found benign, in the store")
struct BenignStoreTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/state.sqlite" }
  private let now = Timestamp(seconds: 1_800_000_000)

  init() throws { directory = try TemporaryDirectory("benign") }

  private func mix(
    _ session: String, _ contacts: [String: UInt64], started: Int64 = 1_799_999_000, type: String = "research"
  ) -> BenignMix {
    BenignMix(session: session, started: Timestamp(seconds: started), agentType: type, contacts: contacts)
  }

  private func write(_ store: SessionStore, _ mixes: BenignMix...) throws {
    let author = OverlayAuthor(who: "anna", peer: "root", why: "read its log")
    try store.write(PendingState(), mixes.map { .benign($0, author, at: now) }, at: now)
  }

  @Test("come back with their contacts, of the asked agent type alone")
  func roundTrip() throws {
    let store = try SessionStore(path: path)
    let (one, two) = (mix("one", ["search": 3, "partner": 9]), mix("two", ["unknown": .max]))
    try write(store, one, mix("three", ["api": 4], type: "other"), two)
    #expect(try SessionStore.benign("research", path: path) == [one, two])
    #expect(try SessionStore.benign("other", path: path).map(\.session) == ["three"])
    #expect(try SessionStore.benign("none-such", path: path).isEmpty)
    #expect(try store.loadOverlays().sorted.isEmpty)
  }

  @Test("weigh once: a later review takes the former's place, another life of the id does not")
  func replaced() throws {
    let store = try SessionStore(path: path)
    let (former, later) = (mix("one", ["search": 3]), mix("one", ["search": 3, "api": 40]))
    let anotherLife = mix("one", ["api": 7], started: 1_799_999_500)
    try write(store, former)
    try write(store, anotherLife, later)
    #expect(try SessionStore.benign("research", path: path) == [anotherLife, later])
    #expect(try SessionStore.benign("research", path: path, limit: 1) == [later])
    // What it was called last counts, the type too.
    try write(store, mix("one", ["api": 1], type: "other"))
    #expect(try SessionStore.benign("research", path: path) == [anotherLife])
    let rows = try store.pool.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM benignMix") }
    #expect(rows == 4)
  }

  @Test("are withdrawn by a row of their own, one life of an id after the other, and may be found benign again")
  func withdrawn() throws {
    let store = try SessionStore(path: path)
    let (one, two) = (mix("one", ["search": 3]), mix("two", ["api": 4]))
    let anotherLife = mix("one", ["api": 7], started: 1_799_999_500)
    try write(store, one, two, anotherLife)
    #expect(try SessionStore.standing("one", path: path) == anotherLife)
    try write(store, anotherLife.withdrawn)
    #expect(try SessionStore.benign("research", path: path) == [one, two])
    #expect(try SessionStore.standing("one", path: path) == one)
    try write(store, one.withdrawn)
    #expect(try SessionStore.benign("research", path: path) == [two])
    #expect(try SessionStore.standing("one", path: path) == nil)
    #expect(try SessionStore.standing("nobody", path: path) == nil)
    try write(store, one)
    #expect(try SessionStore.benign("research", path: path) == [two, one])
    let rows = try store.pool.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM benignMix") }
    #expect(rows == 6)
  }

  @Test("stand there with who and why, and the database itself lets nobody alter that")
  func record() throws {
    let store = try SessionStore(path: path)
    try write(store, mix("one", ["search": 3]))
    let row = try #require(try store.pool.read { try Row.fetchOne($0, sql: "SELECT * FROM benignMix") })
    let texts = ["who", "peer", "why", "contacts"].map { row[$0] as String }
    #expect(texts == ["anna", "root", "read its log", #"{"search":3}"#])
    #expect((row["at"] as Int64) == now.nanoseconds)
    for sql in ["UPDATE benignMix SET contacts = '{}'", "DELETE FROM benignMix"] {
      #expect(throws: DatabaseError.self) { try store.pool.write { try $0.execute(sql: sql) } }
    }
  }

  @Test("cannot be read where there is no store, and reading makes none")
  func missing() {
    #expect(throws: SessionStore.Failure.self) { try SessionStore.benign("research", path: path) }
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}

@Suite("Baselines learned from the store")
struct MixLearnerTests {
  private let fixture = ConfigurationFixture()
  private let yaml = """
    agentTypes:
      learns: {categories: {baseline: {search: 0.8, api: 0.2}, learn: reviewed}}
      rests: {categories: {baseline: {search: 0.8, api: 0.2}}}

    """

  private func compiled() throws -> CompiledPolicy {
    let loaded = try fixture.load(yaml)
    let parts = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).parts(loaded.configuration)
    return CompiledPolicy(loaded: loaded, snapshot: PolicySnapshot(parts, epoch: 7))
  }

  private func learn(
    _ policy: inout CompiledPolicy, _ read: @escaping (String) throws(SessionStore.Failure) -> [BenignMix]
  ) -> [String] {
    let told = Mutex<[String]>([])
    MixLearner(read: read, log: Logger(label: "test")) { kind, figures in
      told.withLock { $0.append("\(kind) " + figures.map { "\($0.name)=\($0.value)" }.joined(separator: " ")) }
    }.learn(&policy)
    return told.withLock { $0 }
  }

  @Test("move towards what was found benign, of types that are to learn and no other")
  func moved() throws {
    var policy = try compiled()
    let benign = BenignMix(
      session: "one", started: Timestamp(seconds: 1), agentType: "learns",
      contacts: ["api": 100, "unknown": 20, "no-such-category": 900, "paste": 50])
    let told = learn(&policy) { _ throws(SessionStore.Failure) in [benign] }
    let names = policy.snapshot.parts.categories.names
    let mix = try #require(policy.snapshot.agentType("learns").mix)
    let api = try #require(names.category(named: "api"))
    #expect(mix.learned?.sessions == 1 && mix.learned?.contacts == 120 && mix.learned?.priorSessions == 5)
    let share = mix.baseline.shares[api] ?? 0
    #expect(share > 0.21 && share < 0.4)
    #expect(mix.baseline.shares.count == 3)
    #expect(policy.snapshot.epoch == 7)
    let configured = try compiled()
    #expect(policy.snapshot.agentType("rests").mix == configured.snapshot.agentType("rests").mix)
    #expect(told.count == 1)
    let concentration = Int(mix.baseline.concentration.rounded())
    #expect(
      told.first
        == "mix-learned agent_type=text(\"learns\") sessions=count(1) contacts=count(120) "
        + "concentration=count(\(concentration))")
  }

  @Test("stay as configured when nothing was reviewed, or the store cannot be read")
  func unmoved() throws {
    let configured = try compiled().snapshot.agentType("learns").mix
    var policy = try compiled()
    #expect(learn(&policy) { _ throws(SessionStore.Failure) in [] }.first?.contains("sessions=count(0)") == true)
    #expect(policy.snapshot.agentType("learns").mix == configured)
    let told = learn(&policy) { _ throws(SessionStore.Failure) in throw .unavailable("away") }
    #expect(told.isEmpty && policy.snapshot.agentType("learns").mix == configured)
  }
}
