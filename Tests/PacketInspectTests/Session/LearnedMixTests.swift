import Testing

@testable import PacketInspect

@Suite("What a baseline is learned from")
struct LearnedMixTests {
  private func category(_ name: String) throws -> PacketInspect.Category {
    try #require(CategoryNames().category(named: name))
  }

  private func policy() throws -> MixPolicy {
    MixPolicy(try #require(MixBaseline([category("documentation"): 0.9, .unknown: 0.1])))
  }

  @Test("nothing to learn from leaves the baseline and its concentration as configured")
  func nothing() throws {
    var learning = try policy()
    learning.learn(from: [[:], [.unknown: 1]], names: CategoryNames())
    #expect(try learning == policy())
  }

  @Test("outlets and what others bring along are learned where the baseline lists them, and there alone")
  func outlets() throws {
    let (paste, cdn, api) = (try category("paste"), try category("cdn"), try category("api"))
    let session = [paste: 30, cdn: 30, api: 30]
    var learning = try policy()
    learning.learn(from: [session], names: CategoryNames())
    #expect(learning.learned?.contacts == 30)
    #expect(learning.baseline.shares[paste] == nil && learning.baseline.shares[cdn] == nil)
    #expect(learning.baseline.lists(api) && !learning.baseline.lists(paste) && !learning.baseline.counts(cdn))
    var listing = MixPolicy(try #require(MixBaseline([paste: 0.1, cdn: 0.1, api: 0.8])))
    listing.learn(from: [session], names: CategoryNames())
    #expect(listing.learned?.contacts == 90 && listing.baseline.shares[paste] ?? 0 > 0.1)
  }

  @Test("the same sessions make the same baseline to the last bit, in whatever order a dictionary has its keys")
  func reproducible() throws {
    let names = CategoryNames()
    // Parts that no sum of is exact: another order, another last bit.
    let shares = (1...15).map { (PacketInspect.Category(rawValue: $0), 0.1 / Double($0) / 0.37) }
    var fingerprints: Set<UInt64> = []
    // A dictionary's order depends on its room.
    for room in 0..<40 {
      var prior: [PacketInspect.Category: Double] = [:]
      var session: [PacketInspect.Category: Int] = [:]
      prior.reserveCapacity(room * room * 7)
      session.reserveCapacity(room * room * 11)
      for (category, share) in shares {
        prior[category] = share
        session[category] = Int(share * 1_000) / 7
      }
      var policy = MixPolicy(try #require(MixBaseline(prior)))
      policy.learn(from: [session, session.mapValues { $0 / 3 + 1 }], names: names)
      #expect(policy.learned?.sessions == 2)
      fingerprints.insert(policy.baseline.fingerprint)
    }
    #expect(fingerprints.count == 1)
  }

  @Test("are the session's contacts from its beginning, through a shift and after its end")
  func contacts() throws {
    let documentation = (0..<40).map { "docs-\($0).example" }
    var lab = try MixShiftTests.lab(.flag, documentation: documentation)
    for name in documentation + (0..<60).map({ "host-\($0).example" }) {
      lab.ask(name)
      lab.wait(seconds: 1)
    }
    let all: [String: UInt64] = ["documentation": 40, "unknown": 60]
    let index = try #require(lab.inspector.sessions.index(of: "task-1"))
    #expect(lab.inspector.sessions[index].mix?.flags == 1)
    #expect(try lab.inspector.sessions[index].mix?.counts[category("documentation")] ?? 0 < 40)
    #expect(try lab.inspector.mixContacts(of: "task-1").contacts == all)
    // A burst is one contact, as in the mix.
    lab.ask("host-59.example")
    #expect(try lab.inspector.mixContacts(of: "task-1").contacts == all)
    _ = try lab.inspector.endSession("task-1", at: lab.now, into: &lab.sink)
    let ended = try lab.inspector.mixContacts(of: "task-1")
    #expect(ended.contacts == all && ended.overview.ended == lab.now)
  }

  @Test("go on after a restart with those that the store has")
  func restarted() throws {
    var lab = try MixShiftTests.lab(.flag)
    for number in 0..<5 { lab.ask("host-\(number).example") }
    lab.inspector.handOverState(into: &lab.sink)
    var next = try MixShiftTests.lab(.flag)
    next.now = lab.now
    for case .session(let state) in lab.sink.changes {
      next.inspector.takeUp([StoredSession(state: state, destinations: [:])])
    }
    next.ask("another.example")
    #expect(try next.inspector.mixContacts(of: "task-1").contacts == ["unknown": 6])
  }

  @Test("are refused of a session that is not known, has no baseline, or has contacted nothing")
  func refused() throws {
    var lab = try MixShiftTests.lab(.flag)
    lab.ask("host.example")
    #expect(throws: SessionCommandError.unknownSession("nobody")) { try lab.inspector.mixContacts(of: "nobody") }
    #expect(throws: SessionCommandError.noContacts("task-1")) { try lab.inspector.mixContacts(of: "task-1") }
    lab.inspector.replacePolicy(PolicySnapshot(TestPolicy().snapshot.parts, epoch: 3))
    #expect(throws: SessionCommandError.noBaseline("research")) { try lab.inspector.mixContacts(of: "task-1") }
  }

  @Test("of ended sessions the latest are remembered, and of one id its last life")
  func ended() throws {
    var sessions = EndedSessions()
    func end(_ id: String, contacts: Int, watched: Bool = true) throws {
      var session = AgentSession(id: id, agentType: "t", attribution: .address, started: Timestamp(seconds: 1))
      if watched { session.mixPolicy = try policy() }
      for _ in 0..<contacts { session.countInMix(.unknown) }
      sessions.add(session)
    }
    try end("twice", contacts: 1)
    try end("unwatched", contacts: 1, watched: false)
    for number in 1..<EndedSessions.maximumCount { try end("\(number)", contacts: 1) }
    #expect(sessions.latest("twice")?.contacts == [1] && sessions.latest("unwatched") == nil)
    try end("1023", contacts: 5)
    #expect(sessions.latest("twice") == nil && sessions.latest("1") != nil)
    #expect(sessions.latest("1023")?.contacts == [5])
  }
}
