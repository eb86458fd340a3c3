import CNetfilterQueue
import Glibc
import PacketInspect

/// A locally sent packet's two ends.
struct SocketEndpoints: Hashable, Sendable {
  /// The sender's address and port: the packet's source.
  var local: IPAddress
  var localPort: UInt16
  /// The packet's destination.
  var remote: IPAddress
  var remotePort: UInt16
  /// The transport.
  var proto: IPProtocol
  /// The interface by which it leaves (NFQA_IFINDEX_OUTDEV); 0 when unknown.
  var interface: UInt32 = 0
}

/// What sock_diag says of a socket.
struct SocketOwner: Hashable, Sendable {
  /// The cgroup v2 in which the socket was made (INET_DIAG_CGROUP_ID). A socket keeps it when its process moves, and
  /// an accepted one has its listener's. Nil before kernel 5.8, and for sockets in TIME_WAIT or before accept().
  var cgroup: UInt64?
  /// The owner's user id.
  var uid: UInt32
  /// The socket's inode; 0 when no process has it open any more.
  var inode: UInt32
  /// True when the socket is connected to the remote end, false when it is only bound to the local port.
  var isConnected: Bool
}

/// How a question to sock_diag ended.
enum SocketAnswer: Hashable, Sendable {
  case found(SocketOwner)
  /// No such socket: closed already, most often.
  case notFound
  /// Sockets of several cgroups share the port.
  case ambiguous
  /// Neither TCP nor UDP.
  case notAsked
  /// No answer in time, or an error; the number is the errno, 0 for no answer.
  case failed(Int32)
}

/// Why sock_diag is of no use.
struct SocketDiagnosisError: Error, CustomStringConvertible {
  /// What is wrong, with the mend.
  var description: String
}

/// The owner of a sock_diag socket. It asks in the network namespace in which it was made. One thread at a time.
@safe
struct SocketDiagnosis: ~Copyable {
  /// Counts since it was opened.
  struct Counters: Hashable, Sendable {
    /// Exact questions, and walks over the sockets of a port.
    var lookups: UInt64 = 0
    var portLookups: UInt64 = 0
    /// How they ended.
    var found: UInt64 = 0
    var notFound: UInt64 = 0
    var ambiguous: UInt64 = 0
    var unanswered: UInt64 = 0
    var errors: UInt64 = 0
    /// Answers to earlier questions, left aside.
    var stale: UInt64 = 0
  }

  private let handle: OpaquePointer

  /// Opens it. No question takes longer than `waitMilliseconds`; the kernel usually answers within a microsecond, in
  /// the system call that asks.
  init(waitMilliseconds: UInt32 = 5) throws(SocketDiagnosisError) {
    var opened: OpaquePointer?
    var number: Int32 = 0
    guard unsafe csd_open(waitMilliseconds, &opened, &number) == CSD_FOUND, let handle = unsafe opened else {
      throw SocketDiagnosisError(
        description: "sock_diag cannot be opened (\(Self.text(of: number))): modprobe inet_diag, or a kernel with it")
    }
    unsafe self.handle = unsafe handle
  }

  deinit { unsafe csd_close(handle) }

  /// The socket that sent a packet, by all of its addresses and ports.
  mutating func lookup(_ endpoints: SocketEndpoints) -> SocketAnswer {
    guard endpoints.proto == .tcp || endpoints.proto == .udp else { return .notAsked }
    var question = csd_endpoints(endpoints)
    var answer = csd_answer()
    var number: Int32 = 0
    let status = unsafe csd_lookup(handle, &question, &answer, &number)
    return Self.answer(status, answer, number)
  }

  /// The socket that sent a datagram, by its local end alone: for sockets that are connected elsewhere. The kernel
  /// walks over all its UDP sockets: tens of microseconds and more.
  mutating func lookupByPort(_ endpoints: SocketEndpoints) -> SocketAnswer {
    guard endpoints.proto == .udp else { return .notAsked }
    var question = csd_endpoints(endpoints)
    var answer = csd_answer()
    var number: Int32 = 0
    let status = unsafe csd_lookup_port(handle, &question, &answer, &number)
    return Self.answer(status, answer, number)
  }

  /// Asks for a socket of our own: `.found` when this kernel answers for the protocol at all.
  mutating func selfTest(_ proto: IPProtocol) -> SocketAnswer {
    var answer = csd_answer()
    var number: Int32 = 0
    let status = unsafe csd_self_test(handle, proto.rawValue, &answer, &number)
    return Self.answer(status, answer, number)
  }

  /// The counts so far.
  var counters: Counters {
    var raw = csd_counters()
    unsafe csd_read_counters(handle, &raw)
    return Counters(
      lookups: raw.lookups, portLookups: raw.port_lookups, found: raw.found, notFound: raw.not_found,
      ambiguous: raw.ambiguous, unanswered: raw.unanswered, errors: raw.errors, stale: raw.stale)
  }

  private static func answer(_ status: csd_status, _ raw: csd_answer, _ number: Int32) -> SocketAnswer {
    switch status {
    case CSD_FOUND:
      .found(
        SocketOwner(
          cgroup: raw.has_cgroup != 0 ? raw.cgroup : nil, uid: raw.uid, inode: raw.inode,
          isConnected: raw.connected != 0))
    case CSD_NOT_FOUND: .notFound
    case CSD_AMBIGUOUS: .ambiguous
    case CSD_NO_ANSWER: .failed(0)
    default: .failed(number)
    }
  }

  private static func text(of number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }
}

extension csd_endpoints {
  fileprivate init(_ endpoints: SocketEndpoints) {
    self.init()
    local_high = endpoints.local.high
    local_low = endpoints.local.low
    remote_high = endpoints.remote.high
    remote_low = endpoints.remote.low
    local_port = endpoints.localPort
    remote_port = endpoints.remotePort
    interface = endpoints.interface
    is_ipv4 = endpoints.local.isIPv4 ? 1 : 0
    `protocol` = endpoints.proto.rawValue
  }
}
