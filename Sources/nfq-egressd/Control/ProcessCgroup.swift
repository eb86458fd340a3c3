import PacketInspect

/// Control groups as they are registered: paths below the cgroup v2 mount.
enum ProcessCgroup {
  /// PATH_MAX of Linux.
  private static let maximumLength = 4_096

  /// The control group of a process, from `/proc/PID/cgroup`.
  static func path(of process: Int32) throws(ControlError) -> String {
    guard process > 0 else { throw ControlError(.badRequest, "\(process) is no process id") }
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try FileBytes.readAll("/proc/\(process)/cgroup", limit: 1 << 16)
    } catch {
      throw ControlError(.noSuchProcess, "process \(process) is not there, or may not be looked at")
    }
    guard let path = path(inProcFile: String(decoding: bytes, as: UTF8.self)) else {
      throw ControlError(.noCgroup, "process \(process) has no control group on the v2 hierarchy")
    }
    do throws(ControlError) {
      return try checked(path)
    } catch {
      throw ControlError(
        .noCgroup, "process \(process) is in \(quoted(path)), which is not a group of its own; start it in one")
    }
  }

  /// The v2 line of /proc/PID/cgroup (cgroups(7)): `0::/path`, alone or after those of v1 hierarchies.
  static func path(inProcFile text: String) -> String? {
    for line in text.split(separator: "\n") where line.hasPrefix("0::") {
      let path = line.dropFirst(3)
      // The kernel says so when the group is gone but the process is not.
      return String(path.hasSuffix(" (deleted)") ? path.dropLast(10) : path)
    }
    return nil
  }

  /// A path as it is compared: absolute, without a final slash. The root is everyone's, and `..` leads out of sight.
  static func checked(_ path: String) throws(ControlError) -> String {
    let isPlain = path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    guard path.hasPrefix("/"), path.utf8.count < maximumLength, isPlain, !parts.isEmpty,
      !parts.contains("."), !parts.contains("..")
    else {
      throw ControlError(
        .badRequest, "\(quoted(path)) is no control group of a session; write its path below the cgroup v2 mount")
    }
    return "/" + parts.joined(separator: "/")
  }
}
