import Glibc
import PacketInspect

/// Asks the kernel.
enum HostFacts {
  /// CAP_NET_ADMIN (linux/capability.h).
  private static let netAdmin: UInt64 = 1 << 12

  /// Everything that does not depend on a configuration.
  static func fill(_ facts: inout DoctorFacts) {
    facts.rights = DoctorFacts.Rights(
      isRoot: geteuid() == 0,
      administersNetwork: ProcFile.read("/proc/self/status").flatMap(effectiveCapabilities).map { $0 & netAdmin != 0 }
        ?? false)
    facts.queues = queues()
    facts.seesTarget = seesTarget()
    facts.conntrack = conntrack()
    facts.accounting = ConntrackSettings.value("nf_conntrack_acct")
    facts.liberal = ConntrackSettings.value("nf_conntrack_tcp_be_liberal")
    facts.hasIPv6 = unsafe access("/proc/net/if_inet6", F_OK) == 0
    facts.identifiers = identifiers()
  }

  /// The effective capabilities in the text of /proc/self/status (proc(5)).
  static func effectiveCapabilities(inStatus text: String) -> UInt64? {
    text.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
      .flatMap { UInt64($0.dropFirst("CapEff:".count).filter { !$0.isWhitespace }, radix: 16) }
  }

  private static func queues() -> DoctorFacts.QueueTable {
    guard unsafe access(QueueStatistics.path, F_OK) == 0 else { return .absent }
    guard let entries = QueueStatistics.read() else { return .hidden }
    return .shown(
      entries.map {
        DoctorFacts.QueueSample(before: $0, after: nil, owner: QueueOwner.process(ofPort: $0.portID))
      })
  }

  /// The same queues, with a second look after some milliseconds.
  static func queues(_ first: DoctorFacts.QueueTable, after milliseconds: Int) -> DoctorFacts.QueueTable {
    // Finding out who owns them took time of its own.
    guard case .shown(let samples) = first, !samples.isEmpty, let before = QueueStatistics.read() else { return first }
    usleep(UInt32(milliseconds) * 1_000)
    let after = QueueStatistics.read() ?? []
    return .shown(
      samples.map { sample in
        var sample = sample
        sample.before = before.first { $0.queue == sample.before.queue } ?? sample.before
        sample.after = after.first { $0.queue == sample.before.queue }
        return sample
      })
  }

  /// Whether xt_NFQUEUE is loaded, built in or to be had, as far as the host tells.
  private static func seesTarget() -> Bool {
    if unsafe access("/sys/module/xt_NFQUEUE", F_OK) == 0 { return true }
    // The legacy backend's list of those that are loaded.
    if let targets = ProcFile.read("/proc/net/ip_tables_targets"), targets.split(separator: "\n").contains("NFQUEUE") {
      return true
    }
    guard let release = ProcFile.read("/proc/sys/kernel/osrelease")?.split(separator: "\n").first else { return false }
    return ["modules.builtin", "modules.dep"]
      .contains { ProcFile.read("/lib/modules/\(release)/\($0)")?.contains("/xt_NFQUEUE.ko") == true }
  }

  /// Asks for a listing, which needs the same kernel part and rights as what the daemon asks for.
  private static func conntrack() -> DoctorFacts.Conntrack {
    do throws(ConntrackError) {
      var flows = try ConntrackFlows(.standard)
      _ = try flows.list { _ in }
      return .answers
    } catch {
      return .fails(error)
    }
  }

  private static func identifiers() -> CgroupIdentifiers? {
    guard let mount = CgroupMount.find(), let tree = CgroupTree(mount) else { return nil }
    guard var diagnosis = try? SocketDiagnosis() else { return .unsupported }
    return CgroupIdentifiers.check(&diagnosis, tree)
  }
}
