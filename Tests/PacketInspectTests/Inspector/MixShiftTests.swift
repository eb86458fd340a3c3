import Testing

@testable import PacketInspect

@Suite("A shift of the mix, in the inspector")
struct MixShiftTests {
  /// The lab's policy with a baseline of search engines and little else, since the lab knows no other category.
  static func lab(
    _ reach: MixReach, gap: Int64 = 30_000_000_000, excepted: [String] = [], documentation: [String] = []
  ) throws -> InspectorLab {
    let names = CategoryNames()
    let search = try #require(names.category(named: "documentation"))
    var lab = InspectorLab()
    var test = TestPolicy()
    test.excepted = excepted
    test.categories = [("documentation", documentation)]
    var parts = test.snapshot.parts
    var policy = MixPolicy(try #require(MixBaseline([search: 0.95, .unknown: 0.05])))
    policy.onShift = reach
    policy.contactGap = gap
    parts.agentTypes["research"]?.mix = policy
    lab.inspector.replacePolicy(PolicySnapshot(parts, epoch: 2))
    return lab
  }

  private func shifts(_ lab: InspectorLab) -> [(event: Event, flag: ReviewFlag)] {
    lab.events.compactMap {
      if case .alert(let flag) = $0.body, flag.kind == .categoryShift { ($0, flag) } else { nil }
    }
  }

  @Test("is flagged once, on the session, with registrable domains and figures")
  func flagged() throws {
    var lab = try Self.lab(.flag)
    for number in 0..<60 {
      lab.ask("secret-label-\(number).host-\(number).example")
      lab.wait(seconds: 1)
    }
    let found = shifts(lab)
    #expect(found.count == 1)
    let shift = try #require(found.first)
    #expect(shift.event.flow == nil && shift.event.session?.id == "task-1")
    #expect(shift.flag.summary.contains("unknown rose from") && shift.flag.summary.contains(".example"))
    #expect(!shift.flag.summary.contains("secret-label"))
    #expect(shift.flag.evidence.contains { $0.name == "unknown_hosts" })
    #expect(
      !shift.flag.evidence.contains {
        if case .text(let text) = $0.value { text.contains("secret-label") } else { false }
      })
    #expect(lab.ask("one-more.example").verdict.action == .accept)
  }

  @Test("does not count a burst to one destination more than once")
  func bursts() throws {
    var lab = try Self.lab(.flag)
    for number in 0..<400 {
      lab.ask("label-\(number).one.example")
      lab.wait(seconds: 2)
    }
    let index = try #require(lab.inspector.sessions.index(of: "task-1"))
    #expect(lab.inspector.sessions[index].mix?.counts == [.unknown: 1])
    lab.wait(seconds: 31)
    lab.ask("one.example")
    #expect(lab.inspector.sessions[index].mix?.counts == [.unknown: 2])
    #expect(shifts(lab).isEmpty)
  }

  @Test("does not count a clock that is set again and again")
  func clock() throws {
    var lab = try Self.lab(.flag)
    lab.lookUp("clock.example", "93.184.216.40")
    let question = [0x23] + [UInt8](repeating: 0, count: 47)
    for _ in 0..<60 {
      lab.wait(seconds: 64)
      lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.40:123", payload: question))
    }
    let index = try #require(lab.inspector.sessions.index(of: "task-1"))
    #expect(lab.inspector.sessions[index].mix?.counts == [.unknown: 1])
    #expect(shifts(lab).isEmpty)
  }

  @Test("holds what was not contacted before, until a reviewer has acted")
  func held() throws {
    var lab = try Self.lab(.hold)
    var refused: [Reason] = []
    for number in 0..<60 {
      let verdict = lab.ask("host-\(number).example").verdict
      if verdict.action == .reject { refused.append(verdict.reason) }
      lab.wait(seconds: 1)
    }
    #expect(shifts(lab).count == 1)
    #expect(!refused.isEmpty && refused.allSatisfy { $0 == .categoryHeld })
    #expect(lab.ask("host-1.example").verdict.action == .accept)
    try lab.inspector.releaseMix(of: "task-1")
    #expect(lab.ask("fresh.example").verdict.action == .accept)
    #expect(throws: SessionCommandError.unknownSession("nobody")) { try lab.inspector.releaseMix(of: "nobody") }
  }

  @Test("rejects all of what rose and holds the rest, but for what is excepted, under onShift: reject")
  func rejected() throws {
    var lab = try Self.lab(.reject, excepted: ["friend.example"])
    for number in 0..<60 {
      lab.ask("host-\(number).example")
      lab.wait(seconds: 1)
    }
    let shift = try #require(shifts(lab).first)
    #expect(shift.flag.summary.hasSuffix("Destinations not yet contacted are held, and unknown is rejected."))
    #expect(lab.ask("host-1.example").verdict.reason == .categoryDenied)
    #expect(lab.ask("fresh.example").verdict.reason == .categoryDenied)
    #expect(lab.ask("friend.example").verdict.action == .accept)
    #expect(try lab.inspector.sessionDetail("task-1").mix?.isHeld == true)
    let released = try lab.inspector.releaseMix(of: "task-1")
    #expect(released.wasHeld && released.overview.id == "task-1")
    #expect(lab.ask("host-1.example").verdict.action == .accept)
    #expect(try !lab.inspector.releaseMix(of: "task-1").wasHeld)
  }

  @Test("comes at the same contact, and holds the same, when the daemon restarts at any contact before it")
  func restarts() throws {
    /// The contact that was flagged, and what came of the next.
    func run(restartingAt stop: Int?) throws -> (Int, Reason) {
      var lab = try Self.lab(.hold)
      for number in 0..<60 {
        if number == stop {
          var stored: [StoredSession] = []
          var destinations: [DestinationKey: DestinationRecord] = [:]
          lab.inspector.storeEverything()
          lab.inspector.handOverState(into: &lab.sink)
          for change in lab.sink.changes {
            if case .destination(_, let key, let record) = change { destinations[key] = record }
          }
          for case .session(let state) in lab.sink.changes {
            stored = [StoredSession(state: state, destinations: destinations)]
          }
          var next = try Self.lab(.hold)
          next.now = lab.now
          next.inspector.takeUp(stored)
          lab = next
        }
        lab.ask("host-\(number).example")
        lab.wait(seconds: 1)
        if !shifts(lab).isEmpty { return (number, lab.ask("fresh.example").verdict.reason) }
      }
      return (-1, .allowed)
    }
    let plain = try run(restartingAt: nil)
    #expect(plain.0 > 0 && plain.1 == .categoryHeld)
    for stop in [1, 10, plain.0 - 1, plain.0] {
      let other = try run(restartingAt: stop)
      #expect(other == plain, "after \(stop)")
    }
  }

  @Test("stands beside the baseline for those who look at the session")
  func overview() throws {
    var lab = try Self.lab(.flag)
    for number in 0..<3 { lab.ask("host-\(number).example") }
    let mix = try #require(try lab.inspector.sessionDetail("task-1").mix)
    #expect(mix.contacts == 3 && mix.flags == 0 && !mix.isHeld)
    #expect(
      mix.rows == [
        MixOverview.Row(category: "unknown", contacts: 3, share: 1, baseline: 0.05),
        MixOverview.Row(category: "documentation", contacts: 0, share: 0, baseline: 0.95),
      ])
  }

  @Test("is not looked for where the type has no baseline")
  func without() {
    var lab = InspectorLab()
    for number in 0..<60 { lab.ask("host-\(number).example") }
    #expect(shifts(lab).isEmpty)
    #expect(lab.inspector.sessions.index(of: "task-1").map { lab.inspector.sessions[$0].mix == nil } == true)
  }
}
