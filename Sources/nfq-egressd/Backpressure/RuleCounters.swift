import Glibc

/// What the rules of `iptables-setup.sh` have counted, both families together.
struct RuleCounters: Hashable, Sendable {
  /// Packets that the rule in front of the queue has seen.
  var queued: UInt64 = 0
  /// Denied packets that only the backstop held up; none should be.
  var backstop: UInt64 = 0
  /// True when a rule lets packets go on while nobody listens (`--queue-bypass`).
  var mayBypass = false

  private static let queueChain = "NFQ-EGRESSD-QUEUE"
  private static let backstopChain = "NFQ-EGRESSD-BACKSTOP"
  private static let directories = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"]

  /// Adds what a listing of one chain shows: `iptables -v -S CHAIN`.
  mutating func add(_ listing: [String]) {
    for line in listing {
      let words = line.split(separator: " ")
      guard words.count > 4, words[0] == "-A", let at = words.firstIndex(of: "-c"), at + 1 < words.count,
        let packets = UInt64(words[at + 1])
      else { continue }
      if words[1] == Self.queueChain, words.contains("NFQUEUE") {
        queued &+= packets
        if words.contains("--queue-bypass") { mayBypass = true }
      } else if words[1] == Self.backstopChain {
        backstop &+= packets
      }
    }
  }

  /// Reads them by iptables, in a few milliseconds. Nil where the rules are not there, or cannot be read.
  static func read(runDirectory: String, stopping: EndFlag) -> RuleCounters? {
    let stateFile = CgroupSlotFile(runDirectory: runDirectory).path
    guard let bytes = try? FileBytes.readAll(stateFile, limit: 1 << 20) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    let backend = lines.first { $0.hasPrefix("backend ") }?.dropFirst("backend ".count) ?? ""
    var counters = RuleCounters()
    // As the script does: a kernel without IPv6 has no rules for it.
    for name in unsafe access("/proc/net/if_inet6", F_OK) == 0 ? ["iptables", "ip6tables"] : ["iptables"] {
      guard let program = program("\(name)-\(backend)") ?? program(name) else { return nil }
      for chain in [queueChain, backstopChain] {
        let outcome = BoundedChild.run(
          [program, "-w", "5", "-t", "mangle", "-v", "-S", chain],
          environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"], stopping: stopping)
        guard outcome.trouble == nil else { return nil }
        counters.add(outcome.lines)
      }
    }
    return counters
  }

  private static func program(_ name: String) -> String? {
    directories.lazy.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
  }
}
