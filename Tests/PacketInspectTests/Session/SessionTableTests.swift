import PacketInspect
import Testing

@Suite("Session table")
struct SessionTableTests {
  private let now = Timestamp(seconds: 10)

  private func policy(_ sources: [(String, String, String)], epoch: UInt32 = 1, ceiling: Int = 10) -> PolicySnapshot {
    var parts = PolicySnapshot.Parts()
    for (range, session, type) in sources {
      parts.sessionSources.insert(network(range), ConfiguredSession(id: session, agentType: type))
    }
    parts.agentTypes["research"] = AgentType(name: "research", budget: BudgetPolicy(destinations: ceiling))
    parts.agentTypes["unattributed"] = AgentType(name: "unattributed", budget: BudgetPolicy(destinations: 5))
    return PolicySnapshot(parts, epoch: epoch)
  }

  @Test("gives an address to the session with the longest prefix")
  func longest() {
    var table = SessionTable()
    let policy = policy([("10.88.0.0/16", "wide", "research"), ("10.88.0.7/32", "one", "research")])
    let one = table.index(for: address("10.88.0.7"), policy: policy, at: now)
    let wide = table.index(for: address("10.88.0.8"), policy: policy, at: now)
    #expect(table[one].id == "one" && table[one].attribution == .address && table[one].agentType == "research")
    #expect(table[wide].id == "wide")
    #expect(table.index(for: address("10.88.9.9"), policy: policy, at: now) == wide)
    #expect(table.index(for: address("::ffff:10.88.0.7"), policy: policy, at: now) == one)
    #expect(table[one].budgetPolicy?.destinations == 10)
  }

  @Test("gives each address that nobody attributes a session of its own, to a cap")
  func unattributed() {
    var table = SessionTable()
    let policy = policy([])
    var seen: Set<Int32> = []
    for number in 0..<SessionTable.maximumUnattributed {
      seen.insert(table.index(for: IPAddress(v4: 0x0a00_0000 + UInt32(number)), policy: policy, at: now))
    }
    #expect(seen.count == SessionTable.maximumUnattributed)
    let first = table.index(for: address("10.0.0.0"), policy: policy, at: now)
    #expect(table[first].id == "unattributed-10.0.0.0" && table[first].attribution == .unattributed)
    #expect(table[first].budgetPolicy?.destinations == 5)
    var beyond: Set<Int32> = []
    for number in 0..<100_000 {
      beyond.insert(table.index(for: IPAddress(v4: 0x0b00_0000 + UInt32(number)), policy: policy, at: now))
    }
    #expect(beyond.count == 1)
    #expect(table.count == SessionTable.maximumUnattributed + 1)
    #expect(table.index(for: address("10.0.0.0"), policy: policy, at: now) == first)
  }

  @Test("moves an address to another session at a reload, and leaves the first one's budget alone")
  func moves() {
    var table = SessionTable()
    let before = policy([("10.88.0.7/32", "first", "research")])
    let first = table.index(for: address("10.88.0.7"), policy: before, at: now)
    _ = table[first].budget.contact(
      .domain("a.example"), evidence: .sni, policy: table[first].budgetPolicy, limit: 100, at: now)
    let after = policy([("10.88.0.7/32", "second", "research")], epoch: 2)
    let second = table.index(for: address("10.88.0.7"), policy: after, at: now)
    #expect(second != first)
    #expect(table[second].id == "second" && table[second].budget.used == 0)
    #expect(table[first].budget.used == 1)
    let back = policy([("10.88.0.7/32", "first", "research")], epoch: 3)
    #expect(table.index(for: address("10.88.0.7"), policy: back, at: now) == first)
  }

  @Test("takes a changed type or ceiling at a reload, and arms the flags again")
  func rearms() {
    var table = SessionTable()
    let before = policy([("10.88.0.7/32", "one", "research")], ceiling: 1)
    let index = table.index(for: address("10.88.0.7"), policy: before, at: now)
    func contact(_ name: String) -> BudgetOutcome {
      table[index].budget.contact(
        .domain(name), evidence: .sni, policy: table[index].budgetPolicy, limit: 100, at: now)
    }
    #expect(contact("a.example").raisesReached)
    #expect(!contact("b.example").raisesReached)
    let same = policy([("10.88.0.7/32", "one", "research")], epoch: 2, ceiling: 1)
    _ = table.index(for: address("10.88.0.7"), policy: same, at: now)
    #expect(!contact("c.example").raisesReached)
    let after = policy([("10.88.0.7/32", "one", "research")], epoch: 3, ceiling: 4)
    #expect(table.index(for: address("10.88.0.7"), policy: after, at: now) == index)
    #expect(table[index].budgetPolicy?.destinations == 4)
    #expect(contact("d.example").raisesReached)
    let moved = policy([("10.88.0.7/32", "one", "unknown-type")], epoch: 4)
    _ = table.index(for: address("10.88.0.7"), policy: moved, at: now)
    #expect(table[index].agentType == "unknown-type" && table[index].budgetPolicy?.destinations == 5)
  }
}
