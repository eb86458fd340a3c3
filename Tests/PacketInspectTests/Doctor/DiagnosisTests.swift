import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The doctor's judgements")
struct DiagnosisTests {
  /// A host on which all is well.
  static func healthy() throws -> DoctorFacts {
    var configuration = Configuration()
    configuration.onFailure.daemonAbsent = .closed
    var facts = DoctorFacts(
      file: DoctorFacts.ConfigurationFile(path: "/c.yaml", configuration: configuration, summary: "1 list"))
    facts.suffixes = DoctorFacts.Suffixes(source: "/list", madeAt: 1_000_000_000)
    facts.now = 1_000_000_000 + 30 * 86_400
    facts.sampled = 1_500
    facts.queues = .shown([try sample(ids: (10, 12))])
    facts.accounting = "1"
    facts.liberal = "0"
    facts.rules = .told(try status())
    facts.identifiers = .untested
    facts.store = DoctorFacts.Place(path: "/s/state", file: 0, folder: 0, above: nil, free: 1 << 40)
    facts.events = DoctorFacts.Place(path: "/e/eve.json", file: nil, folder: 0, above: nil, free: 1 << 40)
    facts.control = .answers
    return facts
  }

  /// Queue 0 before and after: packets that wait, ids, packets that the kernel dropped.
  static func sample(
    waiting: (Int, Int) = (0, 0), ids: (UInt32, UInt32), dropped: (Int, Int) = (0, 0), mode: Int = 2,
    owner: QueueOwner.Process? = QueueOwner.Process(id: "77", name: "nfq-egressd")
  ) throws -> DoctorFacts.QueueSample {
    DoctorFacts.QueueSample(
      before: try #require(QueueStatistics(line: "0 77 \(waiting.0) \(mode) 65531 \(dropped.0) 0 \(ids.0) 1")),
      after: QueueStatistics(line: "0 77 \(waiting.1) \(mode) 65531 \(dropped.1) 0 \(ids.1) 1"),
      owner: owner)
  }

  /// What the script says.
  static func status(
    queues: String = "0", onFailure: String = "closed", mask: String = "0xff000000", recorded: Bool = true,
    families: [String] = ["ipv4", "ipv6"], queued: Int = 5, cgroups: [String] = [],
    problems: [(what: String, mend: String)] = []
  ) throws -> RulesStatus {
    let counters = families.map {
      #""\#($0)":{"udpPass":true,"counters":{"queued":\#(queued),"invalid":0,"rejected":0,"backstop":0}}"#
    }
    let slots = cgroups.map { #"{"slot":1,"path":"\#($0)","id":7,"condition":"present"}"# }
    let faults = problems.map { #"{"what":"\#($0.what)","mend":"\#($0.mend)"}"# }
    let text =
      #"{"complete":\#(problems.isEmpty),"backend":"nft","recorded":\#(recorded),"options":"--source 10.0.0.0/8","#
      + #""queues":"\#(queues)","onFailure":"\#(onFailure)","markMask":"\#(mask)","conntrackAccounting":true,"#
      + #""families":{\#(counters.joined(separator: ","))},"cgroups":[\#(slots.joined(separator: ","))],"#
      + #""problems":[\#(faults.joined(separator: ","))]}"#
    return try #require(RulesStatus.find(in: ["iptables-setup.sh: warning: something", text]))
  }

  /// The findings of one check, after a change to the healthy host. All others must be as they were, but for `also`.
  func findings(
    _ check: Finding.Check, also: Set<Finding.Check> = [], _ change: (inout DoctorFacts) throws -> Void
  ) throws -> [Finding] {
    var facts = try Self.healthy()
    let before = Diagnosis.judge(facts)
    try change(&facts)
    let after = Diagnosis.judge(facts)
    for other in Finding.Check.allCases where other != check && !also.contains(other) {
      #expect(after.filter { $0.check == other } == before.filter { $0.check == other })
    }
    return after.filter { $0.check == check }
  }

  func only(
    _ check: Finding.Check, also: Set<Finding.Check> = [], _ change: (inout DoctorFacts) throws -> Void
  ) throws -> Finding {
    let found = try findings(check, also: also, change)
    try #require(found.count == 1)
    return found[0]
  }

  @Test("a healthy host has one finding a check, all ok, and status 0")
  func healthy() throws {
    let facts = try Self.healthy()
    let findings = Diagnosis.judge(facts)
    #expect(findings.allSatisfy { $0.result == .ok && $0.mend == nil })
    #expect(Set(findings.map(\.check)).count == findings.count)
    #expect(
      Set(Finding.Check.allCases).subtracting(findings.map(\.check)) == [.rulesCgroups, .rulesRepair, .containers])
    #expect(Diagnosis.exitStatus(facts, findings) == 0)
  }

  @Test("every check has its row in docs/operations.md")
  func documented() throws {
    let text = try ConfigurationFixture.repositoryText("docs/operations.md")
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { $0.split(separator: "|")[0] }
    for check in Finding.Check.allCases {
      #expect(rows.contains { $0.contains("`\(check.rawValue)`") }, "\(check.rawValue) has no row")
    }
  }

  @Test("a failure is status 1, a warning 0, and faults of the configuration 78")
  func status() throws {
    var facts = try Self.healthy()
    facts.repairObstacle = "why"
    #expect(Diagnosis.exitStatus(facts, Diagnosis.judge(facts)) == 0)
    facts.accounting = "0"
    #expect(Diagnosis.exitStatus(facts, Diagnosis.judge(facts)) == 1)
    facts.file = DoctorFacts.ConfigurationFile(path: "/c.yaml", faults: ["a", "b"])
    let findings = Diagnosis.judge(facts)
    #expect(findings.prefix(2).map(\.detail) == ["a", "b"])
    #expect(findings.prefix(2).allSatisfy { $0.check == .configuration && $0.result == .fail })
    #expect(!findings.contains { [.queue, .store, .events, .control].contains($0.check) })
    #expect(Diagnosis.exitStatus(facts, findings) == 78)
    // Nobody's configuration is at fault when nothing could read it.
    facts.file.faults = []
    facts.suffixes = nil
    #expect(Diagnosis.exitStatus(facts, Diagnosis.judge(facts)) == 1)
  }

  @Test("a line has result, check, detail and mend, and nothing that steers a terminal")
  func line() {
    #expect(Finding.ok(.rules, "there").line == "ok    rules: there")
    #expect(Finding.warn(.queue, "odd\u{1b}", mend: "look").line == "warn  queue: odd?  (look)")
    #expect(
      Finding.cannotTell(.conntrack, without: "root").line.hasPrefix("warn  conntrack: cannot tell without root  ("))
  }

  @Test("without rights nothing fails")
  func rights() throws {
    var facts = try Self.healthy()
    facts.rights = DoctorFacts.Rights(isRoot: false, administersNetwork: false)
    facts.queues = .hidden
    facts.conntrack = .fails(ConntrackError(number: EPERM))
    facts.rules = .hidden
    facts.store = DoctorFacts.Place(path: "/s/state", file: EACCES, folder: EACCES, above: nil, free: nil)
    facts.control = .hidden
    let findings = Diagnosis.judge(facts)
    #expect(!findings.contains { $0.result == .fail })
    let unknown = Set(findings.filter { $0.detail.hasPrefix("cannot tell without") }.map(\.check))
    #expect(
      unknown == [
        .privileges, .kernelTarget, .conntrack, .rules, .daemonAbsent, .queueNumbers, .markMask, .queue, .queueTraffic,
        .queueWaiting, .queueDrops, .store, .control,
      ])
  }

  @Test("root without the capability is a failure: a daemon could not run there either")
  func capability() throws {
    let finding = try only(.privileges) { $0.rights.administersNetwork = false }
    #expect(finding.result == .fail)
  }

  @Test(
    "the public suffix list grows old",
    arguments: [(0, Finding.Result.ok), (399, .ok), (400, .warn), (4_000, .warn), (-10, .ok)])
  func suffixes(days: Int, result: Finding.Result) throws {
    #expect(try only(.suffixes) { $0.now = 1_000_000_000 + Int64(days) * 86_400 }.result == result)
    #expect(try only(.suffixes) { $0.suffixes?.madeAt = 0 }.result == .warn)
    #expect(try only(.suffixes) { $0.suffixes = nil }.result == .fail)
  }

  @Test("without nfnetlink_queue there is no more to say of the queue")
  func noQueue() throws {
    let finding = try only(.kernelQueue, also: [.queue, .queueTraffic, .queueWaiting, .queueDrops]) {
      $0.queues = .absent
    }
    #expect(finding.result == .fail)
  }

  @Test("connection tracking: its settings, its absence, its netlink")
  func conntrack() throws {
    #expect(try only(.accounting) { $0.accounting = "0" }.result == .fail)
    #expect(try only(.sequences) { $0.liberal = "1" }.result == .fail)
    #expect(try only(.accounting, also: [.sequences]) { $0.accounting = nil }.detail.contains("no connection tracking"))
    #expect(try only(.conntrack) { $0.conntrack = .fails(ConntrackError(number: EOPNOTSUPP)) }.result == .fail)
  }

  @Test("no resolver is a warning")
  func resolvers() throws {
    #expect(try only(.resolvers) { $0.file.configuration?.trustedResolvers = [] }.result == .warn)
  }

  @Test(
    "control group ids matter only where sessions are told by them",
    arguments: [
      (CgroupIdentifiers?.some(.working), Finding.Result.ok), (.untested, .ok), (.defeated, .fail), (.doubtful, .warn),
      (.contradictory, .warn), (.unsupported, .warn), (nil, .warn),
    ])
  func identifiers(identifiers: CgroupIdentifiers?, result: Finding.Result) throws {
    #expect(try only(.cgroupIDs) { $0.identifiers = identifiers }.result == .ok)
    let finding = try only(.cgroupIDs, also: [.rulesCgroups]) {
      $0.identifiers = identifiers
      $0.rules = .told(try Self.status(cgroups: ["/agents.slice"]))
    }
    #expect(finding.result == result)
  }
}
