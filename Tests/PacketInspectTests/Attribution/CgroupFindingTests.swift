import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("From a cgroup to a session")
struct CgroupFindingTests {
  private func rules(_ patterns: (String, String?)...) throws -> CgroupRules {
    let sessions = try patterns.map { CgroupSession(pattern: try CgroupPattern($0.0), agentType: $0.1) }
    return CgroupRules(patterns: sessions, agentTypes: ["web", "coding", "unattributed"])
  }

  private let slots = CgroupSlots(
    stateFile: "boot B\noptions --cgroup /agents\ncgroup 44 agents\ncgroup 0 solo/web-one\n", bootID: "B")

  @Test("the socket's cgroup decides within the slot")
  func socket() throws {
    var rules = try rules(("/agents/{type}-{session}", nil))
    let finding = CgroupFinding.judge(.path("/agents/web-7/inner"), slot: 1, slots: slots, rules: &rules)
    #expect(
      finding
        == CgroupFinding(session: "7", agentType: "web", evidence: .socket, path: "/agents/web-7/inner", note: nil))
  }

  @Test(
    "a packet whose socket tells nothing is its slot's",
    arguments: [
      CgroupFinding.Note.socketGone, .ambiguous, .cgroupGone, .pathUnknown, .otherOwner, .notAsked,
    ])
  func slot(reason: CgroupFinding.Note) throws {
    var rules = try rules(("/agents/{type}-{session}", nil), ("/solo/{type}-{session}", nil))
    #expect(
      CgroupFinding.judge(.unknown(reason), slot: 1, slots: slots, rules: &rules)
        == CgroupFinding(
          session: "cgroup:/agents", agentType: "unattributed", evidence: .slot, path: "/agents", note: reason))
    // A slot for one session's cgroup names that session.
    #expect(
      CgroupFinding.judge(.unknown(reason), slot: 2, slots: slots, rules: &rules)
        == CgroupFinding(session: "one", agentType: "web", evidence: .slot, path: "/solo/web-one", note: reason))
    #expect(CgroupFinding.judge(.unknown(reason), slot: 0, slots: slots, rules: &rules) == nil)
  }

  @Test("a socket outside the slot's cgroup is another's, however its cgroup is called")
  func elsewhere() throws {
    var rules = try rules(("/agents/{type}-{session}", nil), ("/other/{session}", "coding"))
    for path in ["/other/x", "/agentsx/web-1", "/"] {
      let finding = CgroupFinding.judge(.path(path), slot: 1, slots: slots, rules: &rules)
      #expect(finding?.session == "cgroup:/agents")
      #expect(finding?.note == .elsewhere)
    }
    #expect(CgroupFinding.judge(.path("/other/x"), slot: 0, slots: slots, rules: &rules)?.session == "x")
  }

  @Test("a slot that the rules do not record is a session of its own, unless the socket tells")
  func unknownSlot() throws {
    var rules = try rules(("/agents/{type}-{session}", nil))
    let finding = CgroupFinding.judge(.unknown(.socketGone), slot: 9, slots: slots, rules: &rules)
    #expect(finding?.session == "cgroup:slot-9")
    #expect(finding?.note == .unknownSlot)
    #expect(CgroupFinding.judge(.path("/agents/web-7"), slot: 9, slots: slots, rules: &rules)?.session == "7")
  }

  @Test("a slot's session has a name that nothing can be captured or configured as")
  func noCollision() {
    #expect(!SessionWord.isUsable(CgroupFinding.slotSession("/a")))
  }

  @Test("a captured type that does not exist is noted and becomes the unattributed one")
  func unknownType() throws {
    var rules = try rules(("/agents/{type}-{session}", nil))
    let finding = CgroupFinding.judge(.path("/agents/wev-7"), slot: 0, slots: slots, rules: &rules)
    #expect(finding?.session == "7")
    #expect(finding?.agentType == "unattributed")
    #expect(finding?.note == .unknownType("wev"))
  }

  @Test("the first pattern that matches counts, the deepest cgroup, and a registration before a pattern")
  func precedence() throws {
    var rules = try rules(("/a/{session}", "web"), ("/a/x/{session}", "coding"))
    #expect(rules.match("/a/x/y")?.session == "x")
    rules.register(.init(session: "whole", agentType: "coding"), at: "/a")
    #expect(rules.match("/a/x/y")?.session == "x")
    #expect(rules.match("/a")?.session == "whole")
    rules.register(.init(session: "exact", agentType: "coding"), at: "/a/x")
    #expect(rules.match("/a/x/y")?.session == "exact")
    #expect(rules.match("/a/x/y")?.path == "/a/x")
    rules.unregister("/a/x")
    #expect(rules.match("/a/x/y")?.session == "x")
    let other = CgroupRules(patterns: [], agentTypes: ["coding"])
    #expect(rules.reconfigured(patterns: [], agentTypes: ["coding"]).registrationCount == 1)
    #expect(other.registrationCount == 0)
  }

  @Test("slots are counted as the rules count them, and another boot's are none")
  func stateFile() {
    #expect(slots[0] == nil)
    #expect(slots[1] == .init(path: "/agents", id: 44))
    #expect(slots[2] == .init(path: "/solo/web-one", id: nil))
    #expect(slots[3] == nil)
    #expect(slots[255] == nil)
    #expect(CgroupSlots(stateFile: "boot A\ncgroup 44 agents\n", bootID: "B").slots.isEmpty)
    #expect(CgroupSlots(stateFile: "cgroup 44 agents\n", bootID: "").slots.isEmpty)
    #expect(CgroupSlots(stateFile: "", bootID: "B").slots.isEmpty)
    let many = "boot B\n" + String(repeating: "cgroup 1 a\n", count: 100)
    #expect(CgroupSlots(stateFile: many, bootID: "B").slots.count == 63)
  }
}

@Suite("The host's cgroup tree and its ids")
struct CgroupHostTests {
  @Test("finds the hierarchy of a unified, a hybrid and a v1 machine")
  func mounts() {
    let unified = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    #expect(CgroupMount.find(inMountInfo: unified) == CgroupMount(point: "/sys/fs/cgroup", root: "/", isHybrid: false))
    let hybrid = """
      31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
      32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
      90 1 0:38 /part /mnt/with\\040space rw shared:1 master:2 - cgroup2 none rw
      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
      """
    #expect(
      CgroupMount.find(inMountInfo: hybrid)
        == CgroupMount(point: "/sys/fs/cgroup/unified", root: "/", isHybrid: true))
    let part = CgroupMount.find(inMountInfo: String(hybrid.split(separator: "\n")[2]))
    #expect(part == CgroupMount(point: "/mnt/with space", root: "/part", isHybrid: false))
    #expect(CgroupMount.find(inMountInfo: String(hybrid.split(separator: "\n")[1])) == nil)
    #expect(CgroupMount.find(inMountInfo: "\n- cgroup2\n1 2 3 4 5 6 7 8 -\n") == nil)
  }

  @Test("directories and cgroup paths are told from each other, in a part of the tree too")
  func paths() {
    let whole = CgroupMount(point: "/sys/fs/cgroup", root: "/", isHybrid: false)
    #expect(whole.cgroupPath(ofDirectory: "/sys/fs/cgroup") == "/")
    #expect(whole.cgroupPath(ofDirectory: "/sys/fs/cgroup/a/b") == "/a/b")
    #expect(whole.cgroupPath(ofDirectory: "/sys/fs/cgroups/a") == nil)
    #expect(whole.directory(ofCgroup: "/") == "/sys/fs/cgroup")
    #expect(whole.directory(ofCgroup: "/a/b") == "/sys/fs/cgroup/a/b")
    let part = CgroupMount(point: "/c", root: "/part", isHybrid: false)
    #expect(part.cgroupPath(ofDirectory: "/c/a") == "/part/a")
    #expect(part.directory(ofCgroup: "/part/a") == "/c/a")
    #expect(part.directory(ofCgroup: "/part") == "/c")
    let namespaced = CgroupMount(point: "/c", root: "/../..", isHybrid: false)
    #expect(namespaced.cgroupPath(ofDirectory: "/c/a") == "/a")
  }

  @Test("ids that all say root are called defeated, and what cannot be known is not called working")
  func identifiers() {
    func judge(
      _ path: String?, _ own: UInt64?, _ answered: UInt64, _ controllers: String = "", _ release: String = "6.1"
    )
      -> CgroupIdentifiers
    {
      CgroupIdentifiers.judge(
        ownPath: path, ownID: own, answered: answered, controllers: controllers, release: release)
    }
    let used = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nnet_cls\t5\t3\t1\n"
    #expect(judge("/system.slice/a.service", 77, 77, used, "5.10.0-8") == .working)
    #expect(judge("/system.slice/a.service", 77, 1) == .defeated)
    #expect(judge("/system.slice/a.service", 77, 78) == .contradictory)
    #expect(judge("/", 1, 1) == .untested)
    #expect(judge(nil, nil, 1) == .untested)
    #expect(judge("/", 1, 1, used, "5.10.0-8-amd64") == .doubtful)
    #expect(judge("/", 1, 1, used, "5.15.0") == .untested)
    #expect(judge("/", 1, 1, "net_cls\t0\t1\t1\nnet_prio\t4\t1\t1\n", "5.10.0") == .untested)
    #expect(CgroupIdentifiers.ownPath(inCgroupFile: "9:name=systemd:/\n0::/a/b\n") == "/a/b")
    #expect(CgroupIdentifiers.ownPath(inCgroupFile: "9:name=systemd:/\n") == nil)
  }
}
