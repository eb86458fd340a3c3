import Testing

@testable import PacketInspect

@Suite("Registrations of sessions")
struct SessionRegistrationTests {
  private let now = Timestamp(seconds: 1_800_000_000)
  private let policy: PolicySnapshot

  init() {
    var parts = PolicySnapshot.Parts()
    parts.agentTypes["research"] = AgentType(name: "research", budget: BudgetPolicy(destinations: 3))
    policy = PolicySnapshot(parts, epoch: 1)
  }

  private func registration(_ id: String, _ networks: String..., cgroups: [String] = []) -> SessionRegistration {
    SessionRegistration(
      id: id, agentType: "research", sources: networks.compactMap { IPNetwork($0) }, cgroups: cgroups)
  }

  private func owner(of address: String, in table: inout SessionTable) throws -> String {
    table[table.index(for: try #require(IPAddress(address)), policy: policy, at: now)].id
  }

  @Test("a network that another session registered is taken, even where a longer one of a third lies in it")
  func taken() throws {
    var table = SessionTable()
    _ = try table.register(registration("wide", "10.0.0.0/24"), policy: policy, at: now)
    _ = try table.register(registration("narrow", "10.0.0.0"), policy: policy, at: now)
    let expected = SessionCommandError.sourceTaken(try #require(IPNetwork("10.0.0.0/24")), by: "wide")
    #expect(throws: expected) { try table.register(registration("late", "10.0.0.0/24"), policy: policy, at: now) }
    #expect(try owner(of: "10.0.0.0", in: &table) == "narrow")
    #expect(try owner(of: "10.0.0.9", in: &table) == "wide")
  }

  @Test("what is registered later counts for addresses already seen, and ends with its session")
  func later() throws {
    var table = SessionTable()
    #expect(try owner(of: "10.0.0.7", in: &table) == "unattributed-10.0.0.7")
    let index = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now)
    #expect(try owner(of: "10.0.0.7", in: &table) == "one")
    _ = try table.register(registration("one", "10.0.0.8", cgroups: ["/x"]), policy: policy, at: now)
    #expect(try owner(of: "10.0.0.8", in: &table) == "one")
    #expect(throws: SessionCommandError.cgroupTaken("/x", by: "one")) {
      try table.register(registration("two", cgroups: ["/x"]), policy: policy, at: now)
    }
    table.end(index, at: now)
    #expect(try owner(of: "10.0.0.8", in: &table) == "unattributed-10.0.0.8")
    _ = try table.register(registration("two", cgroups: ["/x"]), policy: policy, at: now)
  }

  @Test("the end of one registration leaves those around it and beside it as they were")
  func endOfOne() throws {
    var table = SessionTable()
    _ = try table.register(registration("wide", "10.0.0.0/24"), policy: policy, at: now)
    let narrow = try table.register(registration("narrow", "10.0.0.7", "fd00::7"), policy: policy, at: now)
    _ = try table.register(registration("beside", "10.0.0.8"), policy: policy, at: now)
    // All are known by now, which must not outlive the session.
    #expect(try owner(of: "10.0.0.7", in: &table) == "narrow")
    #expect(try owner(of: "fd00::7", in: &table) == "narrow")
    #expect(try owner(of: "10.0.0.8", in: &table) == "beside")
    table.end(narrow, at: now)
    // Its place in the table is another's now.
    table.takeUnsaved(limit: 100, names: CategoryNames()) { _ in }
    let other = try table.register(registration("other", "192.0.2.1"), policy: policy, at: now)
    #expect(other == narrow)
    #expect(try owner(of: "10.0.0.7", in: &table) == "wide")
    #expect(try owner(of: "fd00::7", in: &table) == "unattributed-fd00::7")
    #expect(try owner(of: "10.0.0.8", in: &table) == "beside")
    #expect(throws: Never.self) { try table.register(registration("next", "10.0.0.7"), policy: policy, at: now) }
    #expect(try owner(of: "10.0.0.7", in: &table) == "next")
  }

  @Test("a place that is free is given away once")
  func freedOnce() throws {
    var table = SessionTable()
    let first = try table.register(registration("one", "10.0.0.1"), policy: policy, at: now)
    table.end(first, at: now)
    table.takeUnsaved(limit: 100, names: CategoryNames()) { _ in }
    table.takeUnsaved(limit: 100, names: CategoryNames()) { _ in }
    let second = try table.register(registration("two", "10.0.0.2"), policy: policy, at: now)
    let third = try table.register(registration("three", "10.0.0.3"), policy: policy, at: now)
    #expect(second == first && third != first)
  }

  @Test("budgets of its own are kept, replaced and taken up, and end with the session")
  func ownBudget() throws {
    var table = SessionTable()
    var own = registration("one", "10.0.0.7")
    own.budget = BudgetOverride(destinations: 7, onReach: .hold)
    let index = try table.register(own, policy: policy, at: now)
    let expected = BudgetPolicy(destinations: 7, onReach: .hold)
    #expect(table[index].budgetPolicy == expected)
    _ = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now)
    #expect(table[index].budgetPolicy == expected)
    var states: [SessionState] = []
    table.takeUnsaved(limit: 100, names: CategoryNames()) { if case .session(let state) = $0 { states.append(state) } }
    #expect(states.map(\.budget) == [own.budget])
    var next = SessionTable()
    next.takeUp(states.map { StoredSession(state: $0, destinations: [:]) })
    #expect(try owner(of: "10.0.0.7", in: &next) == "one")
    let place = try #require(next.index(of: "one"))
    #expect(next[place].budgetPolicy == expected)
    own.budget = BudgetOverride(destinations: 8)
    _ = try table.register(own, policy: policy, at: now)
    #expect(table[index].budgetPolicy == BudgetPolicy(destinations: 8))
    table.end(index, at: now)
    let again = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now)
    #expect(table[again].budgetPolicy == BudgetPolicy(destinations: 3))
  }

  @Test("what ended is handed over before what began under its id since")
  func handedOverInOrder() throws {
    var table = SessionTable()
    let former = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now)
    table.end(former, at: now)
    _ = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now.advanced(byNanoseconds: 1))
    var ended: [Bool] = []
    while table.hasUnsaved {
      table.takeUnsaved(limit: 1, names: CategoryNames()) {
        if case .session(let state) = $0 { ended.append(state.ended != nil) }
      }
    }
    #expect(ended == [true, false])
  }

  @Test("a registration is stored with its session and taken up with it")
  func takenUp() throws {
    var table = SessionTable()
    _ = try table.register(registration("one", "10.0.0.7", cgroups: ["/x"]), policy: policy, at: now)
    func states(_ table: inout SessionTable) -> [SessionState] {
      var states: [SessionState] = []
      table.takeUnsaved(limit: 100, names: CategoryNames()) {
        if case .session(let state) = $0 { states.append(state) }
      }
      return states
    }
    let stored = states(&table)
    #expect(stored.map(\.sources.count) == [1])
    // Adding to it is a change too.
    _ = try table.register(registration("one", "10.0.0.8"), policy: policy, at: now)
    let more = states(&table)
    #expect(more.map(\.sources.count) == [2])
    var next = SessionTable()
    next.takeUp(more.map { StoredSession(state: $0, destinations: [:]) })
    #expect(try owner(of: "10.0.0.8", in: &next) == "one")
    #expect(throws: SessionCommandError.cgroupTaken("/x", by: "one")) {
      try next.register(registration("two", cgroups: ["/x"]), policy: policy, at: now)
    }
  }

  @Test("what is taken up late is added to what was done since, and stored as a whole")
  func takenUpLate() throws {
    var table = SessionTable()
    let index = try table.register(registration("one", "10.0.0.7"), policy: policy, at: now)
    table.takeUnsaved(limit: 100, names: CategoryNames()) { _ in }
    let keys: [DestinationKey] = [.v4(1), .v4(2), .v4(3)]
    for key in keys.dropFirst() {
      _ = table[index].budget.contact(key, evidence: .address, policy: nil, limit: 100, at: now)
    }
    let record = DestinationRecord(
      firstSeen: Timestamp(seconds: 5), lastSeen: Timestamp(seconds: 6), contacts: 7, evidence: .sni)
    let state = SessionState(
      id: "one", agentType: "research", attribution: .registeredAddress, started: Timestamp(seconds: 5),
      lastSeen: Timestamp(seconds: 6), reached: true, extendedBy: 2)
    table.takeUp([StoredSession(state: state, destinations: [.v4(1): record, .v4(2): record])])
    #expect(table.index(of: "one") == index)
    #expect(try owner(of: "10.0.0.7", in: &table) == "one")
    #expect(table[index].budget.used == 3)
    #expect(table[index].budget.reached)
    #expect(table[index].budgetPolicy?.destinations == 5)
    let merged = try #require(table[index].budget.destinations[.v4(2)])
    #expect(merged.contacts == 8)
    #expect(merged.firstSeen == Timestamp(seconds: 5))
    #expect(merged.lastSeen == now)
    var stored: Set<DestinationKey> = []
    table.takeUnsaved(limit: 100, names: CategoryNames()) {
      if case .destination(_, let key, _) = $0 { stored.insert(key) }
    }
    #expect(stored == Set(keys))
  }

  @Test("the end of the inspector hands over all that is not stored")
  func finish() throws {
    var inspector = Inspector(policy: policy, domains: NoDomains())
    // More than one tick's worth.
    for number in 0..<5_000 {
      let address = try #require(IPNetwork("10.1.\(number >> 8).\(number & 255)"))
      _ = try inspector.startSession(
        SessionRegistration(id: "s\(number)", agentType: "research", sources: [address]), at: now)
    }
    var sink = StateSink()
    inspector.finish(now: now, into: &sink)
    #expect(sink.ids.count == 5_000)
    #expect(Set(sink.ids).count == 5_000)
  }

  private struct NoDomains: RegistrableDomains {
    func registrableLength(of name: HostName) -> Int { name.count }
  }

  private struct StateSink: EventSink {
    var ids: [String] = []
    var wantsFacts: Bool { false }
    var wantsState: Bool { true }
    mutating func record(_ event: Event) {}
    mutating func record(_ fact: Fact) {}
    mutating func record(_ change: StateChange) { if case .session(let state) = change { ids.append(state.id) } }
  }
}
