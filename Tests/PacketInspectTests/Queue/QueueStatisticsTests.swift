import Testing

@testable import nfq_egressd

@Suite("The kernel's queue statistics")
struct QueueStatisticsTests {
  @Test("Every column of a line is read")
  func line() throws {
    let queue = try #require(QueueStatistics(line: "    7  31337    12 2 65531     3     4     5678  1"))
    #expect(queue.queue == 7)
    #expect(queue.portID == 31337)
    #expect(queue.waiting == 12)
    #expect(queue.copyMode == .packet)
    #expect(queue.copyRange == 65531)
    #expect(queue.queueDropped == 3)
    #expect(queue.userDropped == 4)
    #expect(queue.lastID == 5678)
  }

  @Test("Several queues are read, and lines that are none are skipped")
  func several() {
    let text =
      "    0   1000     0 2 65531     0     0        0  1\n\nnonsense\n    1 4026532000     0 0     0     0     0        0  1\n"
    let queues = QueueStatistics.parse(text)
    #expect(queues.map(\.queue) == [0, 1])
    #expect(queues.map(\.portID) == [1000, 4_026_532_000])
    #expect(queues.last?.copyMode == QueueStatistics.CopyMode.none)
  }

  @Test("Columns of a later kernel are ignored, missing ones are not guessed")
  func otherKernels() {
    #expect(QueueStatistics(line: "1 2 3 2 5 6 7 8 1 99 100")?.lastID == 8)
    #expect(QueueStatistics(line: "1 2 3 2 5 6 7") == nil)
    #expect(QueueStatistics(line: "70000 2 3 2 5 6 7 8 1") == nil)
    #expect(QueueStatistics.parse("").isEmpty)
  }

  @Test("The socket of a netlink port is found by protocol and port together")
  func owner() {
    let text = """
      sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
      0000000000000000 0   4711       00000000 0        0        0     2        0        100
      0000000000000000 12  0          00000000 0        0        0     2        0        101
      0000000000000000 12  4711       00000000 0        0        0     2        0        102
      """
    #expect(QueueOwner.inode(ofPort: 4711, in: text) == "102")
    #expect(QueueOwner.inode(ofPort: 4712, in: text) == nil)
  }

  @Test("Each error says in one line what to do")
  func errors() {
    let taken = QueueError.taken(queue: 3, owner: "process 12 (suricata)")
    #expect(
      "\(taken)" == "queue 3 is already bound by process 12 (suricata): stop it, or choose another queue number")
    #expect("\(QueueError.missingPrivilege(queue: 3))".contains("CAP_NET_ADMIN"))
    #expect("\(QueueError.missingKernelSupport(queue: 3))".contains("modprobe nfnetlink_queue"))
    #expect("\(QueueError.system(queue: 3, operation: "binding", number: 12))".contains("memory"))
  }
}
