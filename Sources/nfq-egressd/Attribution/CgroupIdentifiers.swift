import Glibc
import PacketInspect

/// Whether this host's socket cgroup ids can be relied on.
///
/// Before Linux 5.15 a socket had room for one cgroup only: once a net_cls or net_prio hierarchy was used, new sockets
/// had no v2 cgroup any more, every id was the root's, and xt_cgroup matched nothing but the root.
enum CgroupIdentifiers: Hashable, Sendable {
  /// A socket of this process is said to be in this process's cgroup.
  case working
  /// It is said to be in the root cgroup, and this process is not: net_cls or net_prio defeats the ids.
  case defeated
  /// This process is in the root cgroup itself, so its socket proves nothing; no sign of a defeat.
  case untested
  /// Likewise, but net_cls or net_prio is in use on a kernel that may give way to it.
  case doubtful
  /// It is said to be in another cgroup than this process: the process was moved, or sees another hierarchy.
  case contradictory
  /// sock_diag does not say (before 5.8, or without the module).
  case unsupported

  /// Asks for a socket of our own.
  static func check(_ diagnosis: inout SocketDiagnosis, _ tree: borrowing CgroupTree) -> CgroupIdentifiers {
    guard case .found(let owner) = diagnosis.selfTest(.udp), let answered = owner.cgroup else { return .unsupported }
    let own = ProcFile.read("/proc/self/cgroup").flatMap { ownPath(inCgroupFile: $0) }
    return judge(
      ownPath: own, ownID: own.flatMap { tree.id(ofCgroup: $0) }, answered: answered,
      controllers: ProcFile.read("/proc/cgroups") ?? "", release: ProcFile.read("/proc/sys/kernel/osrelease") ?? "")
  }

  /// The v2 path in the text of /proc/self/cgroup (cgroups(7)).
  static func ownPath(inCgroupFile text: String) -> String? {
    text.split(separator: "\n").first { $0.hasPrefix("0::/") }.map { String($0.dropFirst(3)) }
  }

  /// The judgement, from what the host says: `controllers` is the text of /proc/cgroups, `release` that of uname.
  static func judge(
    ownPath: String?, ownID: UInt64?, answered: UInt64, controllers: String, release: String
  ) -> CgroupIdentifiers {
    guard let ownPath, ownPath != "/" else {
      return isNetworkControllerUsed(controllers) && !keepsBoth(release) ? .doubtful : .untested
    }
    if answered == ownID { return .working }
    return answered == CgroupTree.rootID ? .defeated : .contradictory
  }

  /// True when a net_cls or net_prio hierarchy is mounted and has groups beside its root.
  private static func isNetworkControllerUsed(_ controllers: String) -> Bool {
    controllers.split(separator: "\n").contains { line in
      // name hierarchy groups enabled
      let columns = line.split { $0 == "\t" || $0 == " " }
      guard columns.count >= 3, columns[0] == "net_cls" || columns[0] == "net_prio" else { return false }
      return columns[1] != "0" && (Int(columns[2]) ?? 0) > 1
    }
  }

  /// True from Linux 5.15 on, whose sockets have room for both.
  private static func keepsBoth(_ release: String) -> Bool {
    let parts = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    guard parts.count == 2 else { return false }
    return (parts[0], parts[1]) >= (5, 15)
  }
}
