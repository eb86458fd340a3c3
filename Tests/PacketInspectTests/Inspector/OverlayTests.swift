import Testing

@testable import PacketInspect

@Suite("Reviewers' decisions on the packet path")
struct OverlayTests {
  static let site: Endpoint = "93.184.216.10:443"
  static let web: Endpoint = "93.184.216.10:80"
  private static let made = Timestamp(seconds: 1_600_000_000)

  private static func overlay(
    _ id: UInt64, _ kind: OverlayKind, _ subject: String = "", _ scope: OverlayScope = .all,
    budget: BudgetOverride? = nil
  ) -> Overlay {
    Overlay(
      id: id, kind: kind, subject: subject, budget: budget, scope: scope, who: "anna", why: "because", made: made)
  }

  private static func verdict(
    of name: String, _ overlays: [Overlay], denied: [String] = [], budget: BudgetPolicy? = nil
  ) -> Verdict {
    var lab = InspectorLab(
      TestPolicy(denied: denied, budget: budget ?? BudgetPolicy(destinations: 100), overlays: overlays))
    return lab.connect(site, sending: hello(name))
  }

  @Test("a block comes before an exception, for names, questions and addresses")
  func blockBeforeException() {
    let overlays = [
      Self.overlay(1, .exception, "good.example"), Self.overlay(2, .exception, "93.184.216.0/24"),
      Self.overlay(3, .block, "", .session("task-1")),
    ]
    #expect(Self.verdict(of: "good.example", overlays).reason == .sessionBlocked)
    var lab = InspectorLab(TestPolicy(overlays: overlays))
    #expect(lab.ask("good.example").verdict == Verdict(.reject, .sessionBlocked, scope: .packet))
    #expect(lab.send(TCPClient(Self.site).syn) == Verdict(.reject, .sessionBlocked, scope: .packet))
    #expect(lab.destinations.isEmpty)
  }

  @Test("an exception comes before a reviewer's denial, whichever of the two is wider or nearer to the session")
  func exceptionBeforeDenial() {
    let scopes: [OverlayScope] = [.all, .agentType("research"), .session("task-1")]
    for wide in scopes {
      for near in scopes {
        for (excepted, denied) in [("a.denied.net", "denied.net"), ("denied.net", "a.denied.net")] {
          let overlays = [Self.overlay(1, .exception, excepted, wide), Self.overlay(2, .deny, denied, near)]
          #expect(Self.verdict(of: "a.denied.net", overlays).action == .accept)
        }
      }
    }
    var file = TestPolicy(excepted: ["denied.net"])
    file.overlays = [Self.overlay(1, .deny, "denied.net")]
    var lab = InspectorLab(file)
    #expect(lab.connect(Self.site, sending: hello("denied.net")).action == .accept)
  }

  @Test("an exception comes before the lists, by name and by address")
  func exceptionBeforeLists() {
    #expect(
      Self.verdict(of: "denied.net", [Self.overlay(1, .exception, "denied.net")], denied: ["denied.net"]).action
        == .accept)
    #expect(
      Self.verdict(of: "x.example", [Self.overlay(1, .exception, "93.184.216.10")], denied: ["93.184.216.0/24"]).action
        == .accept)
  }

  @Test("an excepted name lets its address through when a trusted answer gave it, and not for another session")
  func exceptedNameOnDeniedAddress() {
    for (scope, expected) in [(OverlayScope.session("task-1"), Action.accept), (.session("other"), .reject)] {
      var lab = InspectorLab(
        TestPolicy(denied: ["93.184.216.10"], overlays: [Self.overlay(1, .exception, "ok.example", scope)]))
      lab.lookUp("ok.example", "93.184.216.10")
      #expect(lab.connect(Self.site, sending: hello("ok.example")).action == expected)
    }
  }

  @Test("a reviewer's denial comes before the lists', and says which overlay and who")
  func denialBeforeLists() throws {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"], overlays: [Self.overlay(7, .deny, "denied.net")]))
    let verdict = lab.connect(Self.site, sending: hello("a.denied.net"))
    #expect(verdict == Verdict(.reject, .deniedByReviewer, scope: .packet))
    let matches = lab.events.compactMap { $0.verdict?.list }
    let match = try #require(matches.first)
    #expect(match.overlay == OverlayMark(id: 7, kind: .deny, who: "anna", why: "because"))
    #expect(match.entry == "denied.net")
    #expect(lab.flags == [.denyHit])
    #expect(lab.ask("b.denied.net").verdict.reason == .deniedByReviewer)
  }

  @Test("a list comes before the budget, and a reviewer's denial too: what is denied is not charged")
  func denialsBeforeBudget() {
    let held = BudgetPolicy(destinations: 0, onReach: .hold)
    #expect(Self.verdict(of: "denied.net", [], denied: ["denied.net"], budget: held).reason == .deniedName)
    #expect(
      Self.verdict(of: "denied.net", [Self.overlay(1, .deny, "denied.net")], budget: held).reason == .deniedByReviewer)
    #expect(Self.verdict(of: "other.example", [], budget: held).reason == .budgetHeld)
    // An exception lifts denials; what it covers counts all the same.
    #expect(
      Self.verdict(of: "ok.example", [Self.overlay(1, .exception, "ok.example")], budget: held).reason == .budgetHeld)
  }

  @Test("a denial acts in its scope alone", arguments: [true, false])
  func scopes(isIn: Bool) {
    let scopes: [OverlayScope] =
      isIn
      ? [.all, .agentType("research"), .session("task-1")]
      : [.agentType("unattributed"), .session("task-2"), .session("research"), .agentType("task-1")]
    for scope in scopes {
      for subject in ["denied.net", "93.184.216.10"] {
        let verdict = Self.verdict(of: "denied.net", [Self.overlay(1, .deny, subject, scope)])
        #expect(verdict.reason == (isIn ? .deniedByReviewer : .allowed), "\(scope) \(subject)")
      }
      #expect(
        (Self.verdict(of: "x.example", [Self.overlay(1, .block, "", scope)]).reason == .sessionBlocked) == isIn)
    }
  }

  @Test("what is over is not in force, and of two denials the longest network is told")
  func expiry() {
    var over = Self.overlay(1, .deny, "denied.net")
    over.expires = Timestamp(seconds: 1_700_000_000)
    #expect(Self.verdict(of: "denied.net", [over]).action == .accept)
    let set = OverlaySet([over], at: Timestamp(seconds: 1_699_999_999))
    #expect(set.sharedByAll?.denial(of: host("denied.net"))?.id == 1)
    let networks = OverlaySet(
      [
        Self.overlay(1, .deny, "192.0.2.0/24"), Self.overlay(2, .deny, "192.0.2.7"),
        Self.overlay(3, .deny, "2001:db8::/32"),
      ],
      at: Self.made)
    #expect(networks.sharedByAll?.denial(of: address("192.0.2.7"))?.id == 2)
    #expect(networks.sharedByAll?.denial(of: address("192.0.2.8"))?.id == 1)
    #expect(networks.sharedByAll?.denial(of: address("2001:db8:1::1"))?.id == 3)
    #expect(networks.sharedByAll?.denial(of: address("192.0.3.7")) == nil)
  }

  @Test("a block stops a connection that lives at its next packet, with one event; unblocking lets new packets pass")
  func liveConnection() {
    var policy = TestPolicy()
    var lab = InspectorLab(policy)
    let tls = TCPClient(Self.site)
    lab.open(tls)
    lab.send(tls.segment(hello("good.example")))
    let web = TCPClient(Self.web, from: lab.freshEndpoint())
    lab.open(web)
    #expect(lab.send(web.segment(request("good.example"))).action == .accept)
    let asked = lab.ask("good.example")
    let datagrams = lab.freshEndpoint()
    lab.send(PacketBuilder.udp(from: datagrams, to: "93.184.216.10:9999", payload: [1, 2, 3]))

    policy.epoch = 2
    policy.overlays = [Self.overlay(1, .block, "", .session("task-1"))]
    lab.inspector.replacePolicy(policy.snapshot)
    lab.sink.events = []
    let blocked = Verdict(.reject, .sessionBlocked, scope: .packet)
    for round in 0..<3 {
      #expect(lab.send(tls.segment([1, 2, 3], at: UInt32(600 + round))) == blocked)
      #expect(lab.send(web.segment(request("good.example"), at: UInt32(100 + round))) == blocked)
      #expect(lab.ask("good.example", id: UInt16(round), from: asked.client).verdict == blocked)
      #expect(lab.send(PacketBuilder.udp(from: datagrams, to: "93.184.216.10:9999", payload: [4])) == blocked)
    }
    // What was asked before is not told any more; only what agents send can be rejected.
    #expect(
      lab.answer("good.example", [InspectorLab.record("good.example", "93.184.216.10")], to: asked.client)
        == Verdict(.drop, .sessionBlocked, scope: .packet))
    let drops = lab.events.filter { if case .drop = $0.body { true } else { false } }
    #expect(drops.count == 4)
    #expect(drops.allSatisfy { $0.verdict?.reason == .sessionBlocked && $0.verdict?.list?.overlay?.id == 1 })
    #expect(lab.flags == [.denyHit])

    policy.epoch = 3
    policy.overlays = []
    policy.denied = ["denied.net"]
    lab.inspector.replacePolicy(policy.snapshot)
    #expect(lab.ask("other.example", from: asked.client).verdict.action == .accept)
    // The socket's questions are judged again one by one.
    #expect(lab.ask("denied.net", from: asked.client).verdict.reason == .deniedName)
    #expect(lab.send(PacketBuilder.udp(from: datagrams, to: "93.184.216.10:9999", payload: [5])).action == .accept)
    #expect(lab.send(tls.segment([1], at: 700)).action == .accept)
  }

  @Test("a blocked session is refused where the flow table has no room")
  func noRoom() {
    var lab = InspectorLab(
      TestPolicy(overlays: [Self.overlay(1, .block, "", .session("task-1"))]), limits: InspectorLimits(flows: 1))
    lab.send(TCPClient(Self.site).syn)
    #expect(lab.send(TCPClient("93.184.216.11:443", from: lab.freshEndpoint()).syn).reason == .sessionBlocked)
  }

  @Test("in observe mode a block stops nothing and is told")
  func observe() {
    var lab = InspectorLab(TestPolicy(mode: .observe, overlays: [Self.overlay(1, .block, "", .session("task-1"))]))
    #expect(lab.connect(Self.site, sending: hello("good.example")).action == .accept)
    #expect(lab.ask("good.example").verdict.action == .accept)
    let told = lab.events.filter { $0.verdict?.would == .reject }
    #expect(told.allSatisfy { $0.verdict?.reason == .sessionBlocked && $0.verdict?.action == .accept })
    #expect(told.contains { if case .tls = $0.body { true } else { false } })
    #expect(told.contains { if case .dnsQuery = $0.body { true } else { false } })
  }

  @Test("budgets are laid over the type's from everybody's to the session's own, and act at its next contact")
  func budgets() {
    var policy = TestPolicy(budget: BudgetPolicy(destinations: 9, onReach: .flag))
    var lab = InspectorLab(policy)
    let client = lab.ask("one.example").client
    func ceiling() -> BudgetPolicy? { lab.inspector.sessions[0].budgetPolicy }
    func lay(_ overlays: Overlay...) {
      policy.epoch += 1
      policy.overlays = overlays
      lab.inspector.replacePolicy(policy.snapshot)
    }
    let all = Self.overlay(1, .budget, budget: BudgetOverride(destinations: 1, onReach: .hold))
    let type = Self.overlay(2, .budget, "", .agentType("research"), budget: BudgetOverride(destinations: 2))
    let own = Self.overlay(
      3, .budget, "", .session("task-1"), budget: BudgetOverride(destinations: 3, uploadBytes: 10, window: .day))
    lay(all)
    // On the very socket that was allowed before.
    #expect(lab.ask("two.example", from: client).verdict.reason == .budgetHeld)
    #expect(ceiling() == BudgetPolicy(destinations: 1, onReach: .hold))
    lay(all, type)
    #expect(lab.ask("two.example", from: client).verdict.action == .accept)
    #expect(ceiling() == BudgetPolicy(destinations: 2, onReach: .hold))
    lay(own, type, all)
    #expect(lab.ask("three.example", from: client).verdict.action == .accept)
    #expect(ceiling() == BudgetPolicy(destinations: 3, window: .day, onReach: .hold))
    #expect(lab.inspector.sessions[0].uploadPolicy == UploadBudgetPolicy(bytes: 10, window: .day))
    lay()
    lab.ask("four.example", from: client)
    #expect(ceiling() == BudgetPolicy(destinations: 9))
    #expect(lab.inspector.sessions[0].uploadPolicy == nil)
  }
}
