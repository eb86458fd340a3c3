/// Where the cgroup v2 hierarchy is to be seen: at /sys/fs/cgroup on unified machines, below it on hybrid ones.
struct CgroupMount: Hashable, Sendable {
  /// The mount point.
  var point: String
  /// Which directory of the hierarchy is mounted there; "/" unless this process is in a cgroup namespace or sees a
  /// part of the tree only.
  var root: String
  /// True when cgroup v1 hierarchies are mounted as well.
  var isHybrid: Bool

  /// The mount that this process sees; nil when there is none.
  static func find() -> CgroupMount? { ProcFile.read("/proc/self/mountinfo").flatMap { find(inMountInfo: $0) } }

  /// The mount in the text of /proc/self/mountinfo (proc(5)). One that shows the whole hierarchy is preferred.
  static func find(inMountInfo text: String) -> CgroupMount? {
    var found: CgroupMount?
    var isHybrid = false
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      // Optional fields end with a hyphen, which a mount point cannot be: those are absolute.
      guard fields.count >= 9, let end = fields.firstIndex(of: "-"), end >= 6, end + 1 < fields.count else { continue }
      switch fields[end + 1] {
      case "cgroup": isHybrid = true
      case "cgroup2":
        let mount = CgroupMount(point: unescape(fields[4]), root: unescape(fields[3]), isHybrid: false)
        if found == nil || (found?.root != "/" && mount.root == "/") { found = mount }
      default: break
      }
    }
    found?.isHybrid = isHybrid
    return found
  }

  /// The cgroup's path in the hierarchy, from its directory's path; nil when it is not below the mount point.
  func cgroupPath(ofDirectory directory: String) -> String? {
    let rest: Substring
    if directory == point {
      rest = ""
    } else if point == "/" {
      rest = directory[...]
    } else if directory.hasPrefix(point + "/") {
      rest = directory.dropFirst(point.count)
    } else {
      return nil
    }
    // A root of "/../.." is above what this process's namespace names; what is below is all that can be said.
    let whole = (root == "/" || root.hasPrefix("/..") ? "" : root) + rest
    return whole.isEmpty ? "/" : whole
  }

  /// The directory of a cgroup.
  func directory(ofCgroup path: String) -> String {
    var rest = path[...]
    if root != "/", path == root || path.hasPrefix(root + "/") { rest = path.dropFirst(root.count) }
    return rest.isEmpty || rest == "/" ? point : point + rest
  }

  /// Undoes the octal escapes of mountinfo (space, tab, newline, backslash).
  private static func unescape(_ field: Substring) -> String {
    guard field.utf8.contains(0x5c) else { return String(field) }
    let bytes = Array(field.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0x5c, index + 3 < bytes.count,
        let value = UInt8(String(decoding: bytes[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
      {
        result.append(value)
        index += 4
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
