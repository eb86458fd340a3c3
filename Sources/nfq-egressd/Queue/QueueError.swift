import CNetfilterQueue
import Glibc

/// Why a queue cannot be opened or went out of service. The description says what to do.
enum QueueError: Error, Hashable {
  /// Another socket has it; `owner` as procfs tells.
  case taken(queue: UInt16, owner: String?)
  /// CAP_NET_ADMIN is missing.
  case missingPrivilege(queue: UInt16)
  /// No nfnetlink_queue, or not the flags asked for.
  case missingKernelSupport(queue: UInt16)
  /// The kernel did not answer a command.
  case noAnswer(queue: UInt16)
  /// Another system error.
  case system(queue: UInt16, operation: String, number: Int32)

  init(_ status: cnfq_status, queue: UInt16, operation: String, number: Int32) {
    self =
      switch status {
      case CNFQ_QUEUE_TAKEN: .taken(queue: queue, owner: QueueOwner.describe(queue: queue))
      case CNFQ_NO_PRIVILEGE: .missingPrivilege(queue: queue)
      case CNFQ_NO_KERNEL_SUPPORT: .missingKernelSupport(queue: queue)
      case CNFQ_NO_ANSWER: .noAnswer(queue: queue)
      default: .system(queue: queue, operation: operation, number: number)
      }
  }
}

extension QueueError: CustomStringConvertible {
  var description: String {
    switch self {
    case .taken(let queue, let owner):
      "queue \(queue) is already bound by \(owner ?? "another process"): stop it, or choose another queue number"
    case .missingPrivilege(let queue):
      "no privilege to use queue \(queue): run as root or grant CAP_NET_ADMIN in this network namespace"
    case .missingKernelSupport(let queue):
      "the kernel has no NFQUEUE for queue \(queue) (or one older than 3.11): modprobe nfnetlink_queue"
    case .noAnswer(let queue):
      "the kernel did not answer the configuration of queue \(queue): start again"
    case .system(let queue, let operation, let number):
      "queue \(queue): \(operation) failed: \(Self.text(of: number))"
    }
  }

  private static func text(of number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }
}
