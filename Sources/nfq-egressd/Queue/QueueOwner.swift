import Foundation

/// The process that owns a queue, for an error message. Read from procfs, as far as it tells.
enum QueueOwner {
  /// NETLINK_NETFILTER (linux/netlink.h).
  private static let netfilterProtocol = "12"

  /// A process that has a queue.
  struct Process: Hashable, Sendable, CustomStringConvertible {
    /// Its id.
    var id: String
    /// Its name in procfs, at most 15 bytes; nil when it cannot be read.
    var name: String?

    /// "process 4711 (name)"
    var description: String { "process \(id)" + (name.map { " (\($0))" } ?? "") }
  }

  /// "process 4711 (name)" or "netlink port N"; nil when the queue is not listed.
  static func describe(queue: UInt16) -> String? {
    guard let entry = QueueStatistics.read()?.first(where: { $0.queue == queue }) else { return nil }
    return process(ofPort: entry.portID)?.description ?? "netlink port \(entry.portID)"
  }

  /// The process with the netlink port of a queue; nil when procfs does not tell.
  static func process(ofPort port: UInt32) -> Process? {
    guard let netlink = ProcFile.read("/proc/net/netlink"), let inode = inode(ofPort: port, in: netlink),
      let process = process(owning: inode)
    else { return nil }
    let name = ProcFile.read("/proc/\(process)/comm")?.trimmingCharacters(in: .whitespacesAndNewlines)
    return Process(id: process, name: name)
  }

  /// The socket with this port in the text of /proc/net/netlink. A port number alone proves nothing: a process's
  /// second netlink socket has a random one.
  static func inode(ofPort port: UInt32, in text: String) -> String? {
    for line in text.split(separator: "\n") {
      let columns = line.split(separator: " ")
      // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
      if columns.count >= 10, columns[1] == netfilterProtocol, UInt32(columns[2]) == port { return String(columns[9]) }
    }
    return nil
  }

  private static func process(owning inode: String) -> String? {
    let files = FileManager.default
    let wanted = "socket:[\(inode)]"
    for process in (try? files.contentsOfDirectory(atPath: "/proc")) ?? [] where UInt32(process) != nil {
      let folder = "/proc/\(process)/fd"
      for descriptor in (try? files.contentsOfDirectory(atPath: folder)) ?? []
      where (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(descriptor)")) == wanted { return process }
    }
    return nil
  }
}
