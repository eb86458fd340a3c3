import Glibc

/// Which cgroup each slot of the mark stands for: slot n is the n-th `--cgroup` of the rules, as
/// scripts/iptables-setup.sh recorded them.
struct CgroupSlots: Sendable, Equatable {
  /// A cgroup whose packets a rule marks.
  struct Slot: Sendable, Equatable {
    /// Its path in the v2 hierarchy, with its leading "/".
    var path: String
    /// The id that the path had when the rule was made; nil when it did not exist. The rule means that cgroup, and
    /// not another that is made at the same path later.
    var id: UInt64?
  }

  /// A slot whose rule does not match what is at its path now: packets from there carry no slot.
  struct Stale: Sendable, Equatable {
    var slot: UInt8
    var path: String
    /// True when a cgroup is there, and is another one.
    var isMadeAnew: Bool
  }

  /// Six slot bits, of which 0 means none.
  static let maximumSlots = 63

  /// In the order of their numbers, from 1.
  private(set) var slots: [Slot] = []

  /// No slots: rules without `--cgroup`, or none recorded.
  init() {}

  /// The slots in the text of a state file; none when another boot wrote it.
  init(stateFile text: String, bootID: String) {
    var found: [Slot] = []
    var isCurrent = false
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 2)
      switch fields.first {
      case "boot": isCurrent = fields.count == 2 && fields[1] == bootID
      case "cgroup":
        guard fields.count == 3, found.count < Self.maximumSlots else { continue }
        let id = UInt64(fields[1]).flatMap { $0 == 0 ? nil : $0 }
        found.append(Slot(path: fields[2].hasPrefix("/") ? String(fields[2]) : "/\(fields[2])", id: id))
      default: break
      }
    }
    if isCurrent { slots = found }
  }

  /// The cgroup of a slot number; nil for 0 and for numbers without a rule.
  subscript(slot: UInt8) -> Slot? {
    slot >= 1 && Int(slot) <= slots.count ? slots[Int(slot) - 1] : nil
  }

  /// The slots whose cgroups are gone or were made anew: `iptables-setup.sh repair` mends them.
  func stale(in tree: borrowing CgroupTree) -> [Stale] {
    var result: [Stale] = []
    for (index, slot) in slots.enumerated() {
      let present = tree.id(ofCgroup: slot.path)
      guard present != slot.id else { continue }
      result.append(Stale(slot: UInt8(index + 1), path: slot.path, isMadeAnew: present != nil))
    }
    return result
  }
}

/// The state file that `iptables-setup.sh install` leaves for this network namespace.
struct CgroupSlotFile: Sendable {
  /// What changes when the file is written anew.
  private struct Version: Equatable, Sendable {
    var inode: UInt64
    var seconds: Int
    var nanoseconds: Int
  }

  /// Where the file is.
  let path: String
  private var version: Version?
  private var isRead = false

  /// The file of this process's network namespace in a run directory.
  init(runDirectory: String = "/run/nfq-egressd") {
    var status = stat()
    let namespace = unsafe stat("/proc/self/ns/net", &status) == 0 ? UInt64(status.st_ino) : 0
    path = "\(runDirectory)/rules.\(namespace)"
  }

  /// The slots, when the file is another one than at the last call (at the first: always); nil when it is the same.
  /// A file that cannot be read has none.
  mutating func changed() -> CgroupSlots? {
    let present = Self.version(path)
    guard !isRead || present != version else { return nil }
    version = present
    isRead = true
    return present == nil ? CgroupSlots() : Self.read(path)
  }

  private static func read(_ path: String) -> CgroupSlots {
    guard let bytes = try? FileBytes.readAll(path, limit: 1 << 20),
      let boot = ProcFile.read("/proc/sys/kernel/random/boot_id")?.split(separator: "\n").first
    else { return CgroupSlots() }
    return CgroupSlots(stateFile: String(decoding: bytes, as: UTF8.self), bootID: String(boot))
  }

  private static func version(_ path: String) -> Version? {
    var status = Glibc.stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Version(inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
  }
}
