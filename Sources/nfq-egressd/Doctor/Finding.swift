/// One line of the doctor's: what was looked at, what it found, and what to do about it.
struct Finding: Encodable, Sendable, Equatable {
  enum Result: String, Encodable, Sendable { case ok, warn, fail }

  /// What was looked at. Stable: programs go by it.
  var check: Check
  var result: Result
  /// One sentence for people.
  var detail: String
  /// What to do; nil when nothing has to be done.
  var mend: String?

  /// What the doctor looks at, in its order. docs/operations.md has a row for each.
  enum Check: String, Encodable, Sendable, CaseIterable {
    case configuration
    case suffixes = "public-suffix-list"
    case resolvers = "trusted-resolvers"
    case privileges
    case kernelQueue = "kernel-queue"
    case kernelTarget = "kernel-target"
    case conntrack
    case accounting = "conntrack-accounting"
    case sequences = "conntrack-sequences"
    case rules
    case rulesOrder = "rules-order"
    case rulesIPv4 = "rules-ipv4"
    case rulesIPv6 = "rules-ipv6"
    case rulesCgroups = "rules-cgroups"
    case rulesRepair = "rules-repair"
    case daemonAbsent = "daemon-absent"
    case queueNumbers = "queue-numbers"
    case markMask = "mark-mask"
    case queue
    case queueTraffic = "queue-traffic"
    case queueWaiting = "queue-waiting"
    case queueDrops = "queue-drops"
    case cgroupIDs = "cgroup-ids"
    case store, events, control, containers
  }

  static func ok(_ check: Check, _ detail: String) -> Finding {
    Finding(check: check, result: .ok, detail: detail, mend: nil)
  }

  static func warn(_ check: Check, _ detail: String, mend: String) -> Finding {
    Finding(check: check, result: .warn, detail: detail, mend: mend)
  }

  static func fail(_ check: Check, _ detail: String, mend: String) -> Finding {
    Finding(check: check, result: .fail, detail: detail, mend: mend)
  }

  /// The doctor's own rights do not reach: that says nothing about the daemon.
  static func cannotTell(_ check: Check, without need: String) -> Finding {
    .warn(check, "cannot tell without \(need)", mend: "run the doctor with sudo")
  }

  /// The line: result, check, detail and, in brackets, the mend.
  var line: String {
    let gap = String(repeating: " ", count: 6 - result.rawValue.count)
    return TextTable.printable(
      "\(result.rawValue)\(gap)\(check.rawValue): \(detail)" + (mend.map { "  (\($0))" } ?? ""))
  }
}
