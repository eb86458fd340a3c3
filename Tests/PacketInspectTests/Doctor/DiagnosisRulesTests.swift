import Testing

@testable import nfq_egressd

@Suite("The doctor's judgements of rules")
struct DiagnosisRulesTests {
  let base = DiagnosisTests()

  @Test("rules that are not recorded, refused or mute")
  func untold() throws {
    let compared: Set<Finding.Check> = [
      .rulesOrder, .rulesIPv4, .rulesIPv6, .daemonAbsent, .queueNumbers, .markMask, .kernelTarget,
    ]
    #expect(try base.only(.rules, also: compared) { $0.rules = .unrecorded("/r/rules.1") }.result == .fail)
    #expect(try base.only(.rules, also: compared) { $0.rules = .refused("others may write it") }.result == .warn)
    #expect(try base.only(.rules, also: compared) { $0.rules = .failed("exit status 3") }.result == .fail)
  }

  @Test("no rules at all are one failure, with the script's mend")
  func none() throws {
    let finding = try base.only(.rules, also: [.rulesOrder, .rulesIPv4, .rulesIPv6, .kernelTarget]) {
      $0.rules = .told(
        try DiagnosisTests.status(problems: [("no rules of ours in the nft backend", "iptables-setup.sh install X")]))
    }
    #expect(finding.result == .fail)
    #expect(finding.mend == "iptables-setup.sh install X")
  }

  @Test("a rule above ours and a backstop that is not the last are faults of order, and of nothing else")
  func order() throws {
    let found = try base.findings(.rulesOrder) {
      $0.rules = .told(
        try DiagnosisTests.status(problems: [
          ("IPv4 filter FORWARD: position lost, our jump is rule 2 of 3, below '-A FORWARD -j ACCEPT'", "m"),
          ("IPv6 mangle POSTROUTING: the backstop is rule 1 of 2, not the last", "m"),
        ]))
    }
    #expect(found.map(\.result) == [.fail, .fail])
  }

  @Test("missing rules of one family are one failure that counts them; jumps are told each")
  func missing() throws {
    let found = try base.findings(.rulesIPv6) {
      $0.rules = .told(
        try DiagnosisTests.status(problems: [
          ("IPv6 mangle FORWARD: our jump is missing", "m"), ("IPv6 mangle INPUT: our jump is missing", "m"),
          ("IPv6 mangle: missing: -A NFQ-EGRESSD-AGENT -p tcp", "m"),
          ("IPv6 mangle: missing: -A NFQ-EGRESSD-AGENT -p udp", "m"),
          ("IPv6 mangle: missing: -A NFQ-EGRESSD-QUEUE -j NFQUEUE", "m"),
          ("IPv6 mangle: not ours: -A NFQ-EGRESSD-QUEUE -j ACCEPT", "m"),
          ("net.netfilter.nf_conntrack_acct is not 1", "judged by itself"),
        ]))
    }
    #expect(
      found.map(\.detail) == [
        "IPv6 mangle FORWARD: our jump is missing", "IPv6 mangle INPUT: our jump is missing",
        "IPv6 mangle: missing: -A NFQ-EGRESSD-AGENT -p tcp (and 2 more)",
        "IPv6 mangle: not ours: -A NFQ-EGRESSD-QUEUE -j ACCEPT",
      ])
  }

  @Test("rules of one family are enough on a host that has no other")
  func families() throws {
    let one = try DiagnosisTests.status(families: ["ipv4"])
    #expect(try base.only(.rulesIPv6) { $0.rules = .told(one) }.result == .fail)
    let alone = try base.only(.rulesIPv6) {
      $0.rules = .told(one)
      $0.hasIPv6 = false
    }
    #expect(alone.result == .ok)
  }

  @Test("a control group that was made anew is told")
  func cgroups() throws {
    let finding = try base.only(.rulesCgroups, also: [.cgroupIDs]) {
      $0.rules = .told(
        try DiagnosisTests.status(
          cgroups: ["/agents.slice"], problems: [("cgroup /agents.slice was made anew, and", "repair")]))
    }
    #expect(finding.result == .fail)
  }

  @Test("rules without a record cannot be compared, and are no agreement")
  func unrecorded() throws {
    let finding = try base.only(.rules, also: [.daemonAbsent, .queueNumbers, .markMask]) {
      $0.rules = .told(
        try DiagnosisTests.status(
          queues: "", onFailure: "", mask: "", recorded: false,
          problems: [("nothing is recorded about these rules in /r, so they cannot be compared", "install")]))
    }
    #expect(finding.result == .fail)
  }

  @Test("what the rules do without a daemon must be what is configured", arguments: ["open", "closed"])
  func absent(installed: String) throws {
    let finding = try base.only(.daemonAbsent) { facts in
      facts.rules = .told(try DiagnosisTests.status(onFailure: installed))
    }
    #expect((finding.result == .ok) == (installed == "closed"))
  }

  @Test("queue numbers must agree", arguments: [("0", 0, true), ("3", 3, true), ("0-1", 0, false), ("1", 0, false)])
  func numbers(rules: String, first: UInt16, agree: Bool) throws {
    let finding = try base.only(.queueNumbers, also: [.queue, .queueTraffic, .queueWaiting, .queueDrops]) {
      $0.rules = .told(try DiagnosisTests.status(queues: rules))
      $0.file.configuration?.queues.first = first
    }
    #expect((finding.result == .ok) == agree)
  }

  @Test("masks must agree", arguments: [("0xff000000", true), ("4278190080", true), ("0xff0000", false), ("?", false)])
  func masks(mask: String, agree: Bool) throws {
    let finding = try base.only(.markMask) { $0.rules = .told(try DiagnosisTests.status(mask: mask)) }
    #expect((finding.result == .ok) == agree)
  }

  @Test("what is no status is none")
  func unreadable() {
    #expect(RulesStatus.find(in: []) == nil)
    #expect(RulesStatus.find(in: ["{\"complete\":true}", "{", "complete"]) == nil)
  }
}
