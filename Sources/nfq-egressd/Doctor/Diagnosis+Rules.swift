extension Diagnosis {
  /// Whether the script found nothing of ours at all.
  static func hasNoRules(_ status: RulesStatus) -> Bool {
    status.problems.contains { $0.what.hasPrefix("no rules of ours") }
  }

  /// Whether the rules are there, and where they belong.
  static func rules(_ facts: DoctorFacts) -> [Finding] {
    let repair = facts.repairObstacle.map {
      Finding.warn(
        .rulesRepair, "rules of control groups that are made anew cannot be made again by the daemon: \($0)",
        mend: "run iptables-setup.sh repair, or have a timer do it")
    }
    return presence(facts) + [repair].compactMap(\.self)
  }

  private static func presence(_ facts: DoctorFacts) -> [Finding] {
    switch facts.rules {
    case .unrecorded(let path):
      [
        .fail(
          .rules, "no rules are recorded for this network namespace (\(path)): nothing is sent to the queue",
          mend:
            "iptables-setup.sh install, in the daemon's network namespace; set NFQ_EGRESSD_RUN_DIR if it was set then"
        )
      ]
    case .hidden: [.cannotTell(.rules, without: "root")]
    case .refused(let why):
      [
        .warn(
          .rules, "the script that installed them is not run: \(why)", mend: "run iptables-setup.sh status yourself")
      ]
    case .failed(let why):
      [.fail(.rules, "the script cannot tell: \(why)", mend: "run iptables-setup.sh status and see what it says")]
    case .told(let status): presence(status, hasIPv6: facts.hasIPv6)
    }
  }

  private static func presence(_ status: RulesStatus, hasIPv6: Bool) -> [Finding] {
    let faults = grouped(status.problems)
    guard !hasNoRules(status) else { return faults }
    func sound(_ check: Finding.Check, _ detail: String) -> [Finding] {
      faults.contains { $0.check == check } ? [] : [.ok(check, detail)]
    }
    var found = faults
    if status.recorded {
      found += sound(.rules, "installed in the \(status.backend) backend with \(status.options)")
    }
    found += sound(.rulesOrder, "our rules stand where they must")
    found += sound(.rulesIPv4, "complete")
    if status.families["ipv6"] != nil {
      found += sound(.rulesIPv6, "complete")
    } else {
      found.append(
        hasIPv6
          ? .fail(.rulesIPv6, "there are none, and the host has IPv6", mend: "install the rules again")
          : .ok(.rulesIPv6, "the host has no IPv6"))
    }
    if !status.cgroups.isEmpty { found += sound(.rulesCgroups, "\(status.cgroups.count) mean what is at their paths") }
    return found
  }

  /// One finding for all problems of a kind: a flushed chain is one fault, not forty.
  private static func grouped(_ problems: [RulesStatus.Problem]) -> [Finding] {
    var found: [(key: String, finding: Finding, more: Int)] = []
    for problem in problems {
      // Judged by itself.
      guard !problem.what.contains("nf_conntrack_acct") else { continue }
      let check = check(of: problem.what)
      // `IPv6 mangle: missing: -A ...`: the part before the rule.
      let key = check.rawValue + problem.what.split(separator: ":").prefix(2).joined(separator: ":")
      if problem.what.contains(": -A "), let index = found.firstIndex(where: { $0.key == key }) {
        found[index].more += 1
      } else {
        found.append((key, .fail(check, problem.what, mend: problem.mend), 0))
      }
    }
    return found.map { entry in
      var finding = entry.finding
      if entry.more > 0 { finding.detail += " (and \(entry.more) more)" }
      return finding
    }
  }

  private static func check(of problem: String) -> Finding.Check {
    if problem.contains(": position lost") || problem.contains(": the backstop is rule") { return .rulesOrder }
    if problem.hasPrefix("IPv4") { return .rulesIPv4 }
    if problem.hasPrefix("IPv6") { return .rulesIPv6 }
    return problem.hasPrefix("cgroup ") ? .rulesCgroups : .rules
  }

  /// Whether the rules do what the configuration expects of them.
  static func agreement(_ facts: DoctorFacts, _ configuration: Configuration) -> [Finding] {
    guard let status = facts.status else {
      guard facts.rules == .hidden else { return [] }
      return [.daemonAbsent, .queueNumbers, .markMask].map { .cannotTell($0, without: "root") }
    }
    // Without a record there is nothing to compare; `rules` has said so.
    guard status.recorded else { return [] }
    let first = configuration.queues.first
    let last = Int(first) + configuration.queues.count - 1
    let queues = last == Int(first) ? "\(first)" : "\(first)-\(last)"
    let (wanted, installed) = (configuration.onFailure.daemonAbsent.rawValue, status.onFailure)
    let mask = "0x" + String(configuration.marks.mask, radix: 16)
    let meanwhile = installed == "open" ? "pass" : "are dropped"
    return [
      installed == wanted
        ? .ok(.daemonAbsent, "without a daemon agents' packets \(meanwhile), as configured")
        : .fail(
          .daemonAbsent, "the rules were installed with --on-failure \(installed), onFailure.daemonAbsent is \(wanted)",
          mend: "install the rules with --on-failure \(wanted), or set onFailure.daemonAbsent: \(installed)"),
      status.queues == queues
        ? .ok(.queueNumbers, "the rules send to queue \(queues), as configured")
        : .fail(
          .queueNumbers, "the rules send to queue \(status.queues), the daemon binds \(queues)",
          mend: "install the rules with --queues \(queues), or mend queues.first"),
      number(status.markMask) == configuration.marks.mask
        ? .ok(.markMask, "the rules use \(mask), as configured")
        : .fail(
          .markMask, "the rules use \(status.markMask), marks.mask is \(mask)",
          mend: "install the rules with --mark-mask \(mask), or mend marks.mask"),
    ]
  }

  private static func number(_ text: String) -> UInt32? {
    text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
  }
}
