import PacketInspect
import Testing

@Suite("Destination budget")
struct DestinationBudgetTests {
  private let now = Timestamp(seconds: 10)
  private func key(_ number: Int) -> DestinationKey { .domain("d\(number).example") }

  private func contact(
    _ budget: inout DestinationBudget, _ number: Int, _ policy: BudgetPolicy?, limit: Int = 100
  ) -> BudgetOutcome {
    budget.contact(key(number), evidence: .sni, policy: policy, limit: limit, at: now)
  }

  @Test("warns once at its share, tells once that the ceiling is reached, and goes on when it only flags")
  func flags() {
    var budget = DestinationBudget()
    let policy = BudgetPolicy(destinations: 5, onReach: .flag, warnAt: 0.8)
    let outcomes = (0..<8).map { contact(&budget, $0, policy) }
    #expect(outcomes.map(\.raisesWarning) == [false, false, false, true, false, false, false, false])
    #expect(outcomes.map(\.raisesReached) == [false, false, false, false, true, false, false, false])
    #expect(outcomes.allSatisfy { $0.admitted && $0.isNew })
    #expect(budget.used == 8)
    let again = contact(&budget, 2, policy)
    #expect(!again.isNew && !again.raisesReached && !again.raisesWarning)
    #expect(budget.destinations[key(2)]?.contacts == 2)
  }

  @Test("holds new destinations at the ceiling while those contacted go on")
  func holds() {
    var budget = DestinationBudget()
    let policy = BudgetPolicy(destinations: 3, onReach: .hold)
    #expect((0..<3).map { contact(&budget, $0, policy).admitted } == [true, true, true])
    let refused = contact(&budget, 3, policy)
    #expect(!refused.admitted && !refused.raisesReached)
    #expect(!contact(&budget, 3, policy).admitted)
    #expect(contact(&budget, 0, policy).admitted)
    #expect(budget.used == 3)
  }

  @Test("of zero refuses everything and says so once")
  func zero() {
    var budget = DestinationBudget()
    let policy = BudgetPolicy(destinations: 0, onReach: .hold)
    #expect(contact(&budget, 0, policy).raisesReached)
    #expect(!contact(&budget, 1, policy).raisesReached)
    #expect(budget.used == 0)
  }

  @Test("remembers no more than its limit: beyond it counts, and refuses when it holds")
  func limit() {
    var budget = DestinationBudget()
    for number in 0..<5 { #expect(contact(&budget, number, nil, limit: 3).admitted) }
    #expect(budget.used == 3 && budget.overflow == 2)
    let holding = BudgetPolicy(destinations: 100, onReach: .hold)
    #expect(!contact(&budget, 9, holding, limit: 3).admitted)
    #expect(contact(&budget, 1, holding, limit: 3).admitted)
  }

  @Test("gives a place back only when nobody else used it")
  func withdraw() {
    var budget = DestinationBudget()
    let policy = BudgetPolicy(destinations: 2, onReach: .hold)
    _ = contact(&budget, 0, policy)
    _ = contact(&budget, 1, policy)
    _ = contact(&budget, 1, policy)
    budget.withdraw(key(1))
    #expect(budget.used == 2)
    budget.withdraw(key(0))
    budget.withdraw(key(7))
    #expect(budget.used == 1)
    #expect(contact(&budget, 2, policy).admitted)
  }

  @Test("raises its flags again after it was armed again")
  func rearm() {
    var budget = DestinationBudget()
    _ = contact(&budget, 0, BudgetPolicy(destinations: 1))
    #expect(!contact(&budget, 1, BudgetPolicy(destinations: 2)).raisesReached)
    budget.rearm()
    #expect(contact(&budget, 2, BudgetPolicy(destinations: 3)).raisesReached)
  }

  @Test("counts a registrable domain, an IPv4 address, an IPv6 /64, mapped forms as IPv4")
  func keys() {
    let tiny = TinySuffixes()
    func name(_ text: String) -> DestinationKey { DestinationKey(host(text), registrable: tiny) }
    #expect(name("a.b.example.com") == .domain("example.com"))
    #expect(name("alice.github.io") != name("bob.github.io"))
    #expect(name("www.alice.github.io") == name("alice.github.io"))
    #expect(name("github.io") == .domain("github.io"))
    #expect(name("localhost") == .domain("localhost"))
    #expect(DestinationKey(address("2606:2800:220:1::1")) == DestinationKey(address("2606:2800:220:1:ffff::9")))
    #expect(DestinationKey(address("2606:2800:220:1::1")) != DestinationKey(address("2606:2800:220:2::1")))
    #expect(DestinationKey(address("::ffff:93.184.216.1")) == DestinationKey(address("93.184.216.1")))
    #expect(DestinationKey(address("64:ff9b::5db8:d801")) == DestinationKey(address("93.184.216.1")))
    #expect(DestinationKey(address("2606:2800:220:1::1")).text == "2606:2800:220:1::/64")
  }
}
