import Foundation

/// One line of /proc/net/netfilter/nfnetlink_queue: the kernel's own view of a bound queue.
struct QueueStatistics: Hashable, Sendable {
  /// Where the kernel shows it; of the network namespace of the reader.
  static let path = "/proc/net/netfilter/nfnetlink_queue"

  /// How much of a packet is copied (linux/netfilter/nfnetlink_queue.h, `enum nfqnl_config_mode`).
  struct CopyMode: RawRepresentable, Hashable, Sendable {
    var rawValue: UInt32
    /// Nothing: bound, but not configured yet. Packets are dropped.
    static let none = CopyMode(rawValue: 0)
    /// Metadata only.
    static let meta = CopyMode(rawValue: 1)
    /// The packet too.
    static let packet = CopyMode(rawValue: 2)
  }

  /// The queue's number.
  var queue: UInt16
  /// The netlink port that owns it; usually, but not always, the owner's process id.
  var portID: UInt32
  /// Packets that wait for a verdict.
  var waiting: UInt64
  /// How much is copied.
  var copyMode: CopyMode
  /// Bytes copied of each packet.
  var copyRange: UInt32
  /// Packets dropped because the queue was full. Their ids are not consumed: no gap shows them.
  var queueDropped: UInt64
  /// Packets dropped because the socket's buffer was full. They leave a gap in the ids.
  var userDropped: UInt64
  /// The id of the last packet.
  var lastID: UInt32

  /// A queue from one line: nine decimal columns (net/netfilter/nfnetlink_queue.c, `seq_show`); nil when it is none.
  /// Further columns are ignored, so that a newer kernel may add some.
  init?(line: Substring) {
    let columns = line.split(separator: " ").compactMap { UInt64($0) }
    guard columns.count >= 8, let queue = UInt16(exactly: columns[0]), let portID = UInt32(exactly: columns[1]) else {
      return nil
    }
    self.queue = queue
    self.portID = portID
    waiting = columns[2]
    copyMode = CopyMode(rawValue: UInt32(truncatingIfNeeded: columns[3]))
    copyRange = UInt32(truncatingIfNeeded: columns[4])
    queueDropped = columns[5]
    userDropped = columns[6]
    lastID = UInt32(truncatingIfNeeded: columns[7])
  }

  /// All queues in the file's text; lines that are none are skipped.
  static func parse(_ text: String) -> [QueueStatistics] {
    text.split(separator: "\n").compactMap { QueueStatistics(line: $0) }
  }

  /// All bound queues of this network namespace; nil when the kernel does not show them (no nfnetlink_queue).
  static func read() -> [QueueStatistics]? { ProcFile.read(path).map(parse) }
}
