import Testing

@testable import PacketInspect

@Suite("A category's action")
struct CategoryVerdictTests {
  static let paste: Endpoint = "93.184.216.20:443"

  /// Where a contact is judged.
  enum Place: CaseIterable, CustomStringConvertible {
    case question, hello, head
    var description: String {
      switch self {
      case .question: "the question"
      case .hello: "the hello"
      case .head: "the head"
      }
    }
  }

  private func policy(
    _ actions: [String: CategoryAction], mode: Mode = .enforce, excepted: [String] = [], epoch: UInt32 = 1
  ) -> TestPolicy {
    var policy = TestPolicy(categories: [
      ("paste", ["paste.example", "gist.github.com"]), ("code-hosting", ["github.com"]),
    ])
    policy.mode = mode
    policy.excepted = excepted
    policy.epoch = epoch
    policy.actions = actions
    return policy
  }

  /// Reaches for a name at one place; what comes before it is under a policy without actions.
  private func reach(_ place: Place, _ policy: TestPolicy, name: String = "paste.example") -> (InspectorLab, Verdict) {
    var lab = InspectorLab(policy)
    if place == .question {
      let verdict = lab.ask(name).verdict
      return (lab, verdict)
    }
    lab = InspectorLab(self.policy([:]))
    // Another session's lookup, so that this one's destinations stay empty.
    lab.client = "10.88.0.9"
    lab.lookUp(name, "93.184.216.20")
    lab.client = "10.88.0.7"
    var next = policy
    next.epoch = 2
    lab.inspector.replacePolicy(next.snapshot)
    let bytes = place == .hello ? hello(name) : request(name)
    let verdict = lab.connect(Self.paste, sending: bytes)
    return (lab, verdict)
  }

  private func used(_ lab: InspectorLab) -> Int {
    guard let session = lab.inspector.sessions.index(of: "task-1") else { return 0 }
    return lab.inspector.sessions[session].budget.used
  }

  private func flagged(_ lab: InspectorLab) -> [ReviewFlag] {
    lab.events.compactMap { if case .alert(let flag) = $0.body, flag.kind == .categoryFlagged { flag } else { nil } }
  }

  @Test("reject refuses at the question, the hello and the head, and charges nothing", arguments: Place.allCases)
  func reject(_ place: Place) {
    let (lab, verdict) = reach(place, policy(["paste": .reject]))
    #expect(verdict.action == .reject && verdict.reason == .categoryDenied)
    #expect(verdict.scope == (place == .question ? .packet : .flow))
    #expect(used(lab) == 0)
    #expect(lab.destination?.category == "paste" && lab.destination?.isNew == false)
    #expect(flagged(lab).count == 1)
    #expect(lab.events.contains { if case .drop = $0.body { $0.verdict?.reason == .categoryDenied } else { false } })
  }

  @Test("hold refuses what the session had not contacted", arguments: Place.allCases)
  func hold(_ place: Place) {
    let (lab, verdict) = reach(place, policy(["paste": .hold]))
    #expect(verdict.action == .reject && verdict.reason == .categoryHeld)
    #expect(used(lab) == 0 && flagged(lab).count == 1)
  }

  @Test("hold lets go on what the session had contacted", arguments: Place.allCases)
  func holdContacted(_ place: Place) {
    var lab = InspectorLab(policy([:]))
    lab.lookUp("paste.example", "93.184.216.20")
    lab.inspector.replacePolicy(policy(["paste": .hold], epoch: 2).snapshot)
    let verdict =
      switch place {
      case .question: lab.ask("paste.example").verdict
      case .hello: lab.connect(Self.paste, sending: hello("paste.example"))
      case .head: lab.connect(Self.paste, sending: request("paste.example"))
      }
    #expect(verdict.action == .accept)
    #expect(used(lab) == 1)
    // Another name under a domain that was contacted in another category is new all the same.
    #expect(lab.ask("github.com").verdict.action == .accept)
    #expect(lab.ask("gist.github.com").verdict.reason == .categoryHeld)
  }

  @Test("flag raises one flag a destination and lets it go on", arguments: Place.allCases)
  func flag(_ place: Place) {
    var (lab, verdict) = reach(place, policy(["paste": .flag]))
    #expect(verdict.action == .accept && used(lab) == 1)
    #expect(flagged(lab).count == 1)
    for _ in 0..<3 { lab.ask("paste.example") }
    #expect(flagged(lab).count == 1)
    lab.ask("gist.github.com")
    #expect(flagged(lab).count == 2)
    let evidence = flagged(lab)[0].evidence
    #expect(evidence.contains(FlagEvidence("category", "paste")))
    #expect(evidence.contains(FlagEvidence("list", "paste.txt")))
    #expect(evidence.contains(FlagEvidence("line", 1)))
  }

  @Test("accept, or none, does nothing", arguments: Place.allCases)
  func accept(_ place: Place) {
    for actions in [[:], ["paste": CategoryAction.accept, "code-hosting": .reject]] {
      let (lab, verdict) = reach(place, policy(actions))
      #expect(verdict.action == .accept && used(lab) == 1 && flagged(lab).isEmpty)
    }
  }

  @Test("in observe mode is said, not done", arguments: Place.allCases)
  func observe(_ place: Place) {
    let (lab, verdict) = reach(place, policy(["paste": .reject], mode: .observe))
    #expect(verdict.action == .accept)
    let told = lab.events.last { $0.verdict?.reason == .categoryDenied }?.verdict
    #expect(told?.action == .accept && told?.would == .reject)
  }

  @Test("comes behind a deny-list and an exception, and before the budget")
  func precedence() {
    var denied = policy(["paste": .reject])
    denied.denied = ["paste.example"]
    var lab = InspectorLab(denied)
    #expect(lab.ask("paste.example").verdict.reason == .deniedName)
    lab = InspectorLab(policy(["paste": .reject], excepted: ["paste.example"]))
    #expect(lab.ask("paste.example").verdict.action == .accept)
    var full = policy(["paste": .reject])
    full.budget = BudgetPolicy(destinations: 1, onReach: .hold)
    lab = InspectorLab(full)
    #expect(lab.ask("one.example").verdict.action == .accept)
    #expect(lab.ask("paste.example").verdict.reason == .categoryDenied)
    #expect(lab.ask("two.example").verdict.reason == .budgetHeld)
  }

  @Test("holds for a claim that nothing corroborates, which is unknown besides")
  func unverified() {
    var lab = InspectorLab(policy(["paste": .reject]))
    #expect(lab.connect("93.184.216.77:443", sending: hello("paste.example")).reason == .categoryDenied)
    #expect(lab.destination?.category == "unknown")
    lab = InspectorLab(policy(["unknown": .reject]))
    #expect(lab.connect("93.184.216.77:443", sending: hello("github.com")).reason == .categoryDenied)
    #expect(lab.connect("93.184.216.78:443", sending: TLSHelloBuilder().stream).reason == .categoryDenied)
    #expect(lab.ask("nobody-knows.example").verdict.reason == .categoryDenied)
    #expect(lab.ask("github.com").verdict.action == .accept)
    // A resolver of the agent's own is an address, and its question charges nothing.
    #expect(lab.ask("github.com", to: "93.184.216.99:53").verdict.reason == .categoryDenied)
    #expect(lab.destinations == ["github.com"])
  }

  @Test("of a new policy reaches connections that live, even when the answer for their name is over")
  func again() {
    var lab = InspectorLab(policy([:]))
    lab.lookUp("paste.example", "93.184.216.20", ttl: 1)
    let connection = TCPClient(Self.paste, from: lab.freshEndpoint())
    lab.open(connection)
    let first = hello("paste.example")
    #expect(lab.send(connection.segment(first)).action == .accept)
    lab.send(connection.answered(at: UInt32(first.count)))
    lab.wait(seconds: 600)
    lab.inspector.replacePolicy(policy(["unknown": .reject, "paste": .hold], epoch: 2).snapshot)
    #expect(lab.send(connection.segment([1], at: UInt32(first.count))).action == .accept)
    lab.inspector.replacePolicy(policy(["paste": .reject], epoch: 3).snapshot)
    let late = lab.send(connection.segment([2], at: UInt32(first.count) + 1))
    #expect(late.action == .reject && late.reason == .categoryDenied)
    lab.inspector.replacePolicy(policy([:], epoch: 4).snapshot)
    #expect(lab.send(connection.segment([3], at: UInt32(first.count) + 2)).action == .accept)
  }

  @Test("of the host that a request names beside its target refuses it")
  func beside() {
    var lab = InspectorLab(policy(["paste": .reject]))
    let verdict = lab.connect(
      "93.184.216.30:80", sending: Array("GET http://fine.example/ HTTP/1.1\r\nHost: paste.example\r\n\r\n".utf8))
    #expect(verdict.reason == .categoryDenied)
  }

  @Test("leaves contacts counted by category, which the session's last event tells")
  func counted() {
    var lab = InspectorLab(policy([:]))
    for name in ["github.com", "api.github.com", "gist.github.com", "one.example"] { lab.ask(name) }
    _ = try? lab.inspector.endSession("task-1", at: lab.now, into: &lab.sink)
    var figures: [CategoryFigures] = []
    for case .stats("session-end", let all) in lab.events.map(\.body) {
      for case ("categories", .categories(let found)) in all { figures = found }
    }
    #expect(
      figures == [
        CategoryFigures(name: "unknown", contacts: 1, destinations: 1),
        CategoryFigures(name: "code-hosting", contacts: 2, destinations: 0),
        CategoryFigures(name: "paste", contacts: 1, destinations: 1),
      ])
  }

  @Test("is known again after a restart by what the destination counts as")
  func restart() {
    var lab = InspectorLab(policy(["paste": .hold]))
    let record = DestinationRecord(firstSeen: lab.now, lastSeen: lab.now, contacts: 1, evidence: .sni)
    let state = SessionState(
      id: "task-1", agentType: "research", attribution: .address, started: lab.now, lastSeen: lab.now, warned: false,
      reached: false, overflow: 0)
    lab.inspector.takeUp([StoredSession(state: state, destinations: [.domain("paste.example"): record])])
    #expect(lab.ask("paste.example").verdict.action == .accept)
    let detail = try? lab.inspector.sessionDetail("task-1")
    #expect(detail?.destinations.map { detail?.categoryNames[$0.record.category] } == ["paste"])
  }
}
