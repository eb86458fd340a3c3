import CHostLibraries
import PacketInspect

/// Why the runtime's API gives no answer.
enum ContainerAPIError: Error, Hashable, CustomStringConvertible {
  /// Nobody listens at the socket, or the connection was cut.
  case unreachable(String)
  /// An answer other than success. Here and below a target is without its query: the same reason is the same text.
  case refused(target: String, status: Int, message: String)
  /// More bytes than are read.
  case tooLarge(target: String, limit: Int)
  /// No JSON of the expected form.
  case notUnderstood(target: String)
  /// The watcher was told to stop.
  case stopped

  var description: String {
    switch self {
    case .unreachable(let reason): reason
    case .refused(let target, let status, let message):
      "GET \(target) was answered with status \(status)\(message.isEmpty ? "" : ": \(quoted(message))")"
    case .tooLarge(let target, let limit): "the answer to GET \(target) is larger than \(limit >> 20) MiB"
    case .notUnderstood(let target): "the answer to GET \(target) is not what the Docker API promises"
    case .stopped: "stopped"
    }
  }
}

/// One connection's worth of requests to a runtime's socket, one after another. Belongs to one thread; only `stop` may
/// be called from any.
@safe
final class ContainerRequest: @unchecked Sendable {
  /// What reading an answer brought.
  enum Piece {
    case bytes([UInt8])
    /// Nothing within the time waited.
    case nothing
    /// The answer is complete.
    case end
  }

  /// Time for one whole answer, in seconds. A runtime that stores images or stops containers may be busy.
  private static let answerSeconds = 20

  private let handle: OpaquePointer
  private let socket: String

  /// Nil when libcurl is without Unix sockets or memory.
  init?(socket: String) {
    guard let opened = unsafe chost_http_open(socket) else { return nil }
    unsafe handle = opened
    self.socket = socket
  }

  deinit { unsafe chost_http_close(handle) }

  /// Ends every wait, now and for good.
  func stop() { unsafe chost_http_stop(handle) }

  /// Begins GET `target`; `endless` for an answer without a bound in time.
  func begin(_ target: String, endless: Bool) throws(ContainerAPIError) {
    guard unsafe chost_http_begin(handle, target, endless ? 0 : Self.answerSeconds) == 1 else { throw failure }
  }

  /// The next bytes of the answer; waits at most `milliseconds`.
  func next(_ target: String, milliseconds: Int32) throws(ContainerAPIError) -> Piece {
    var start: UnsafePointer<UInt8>?
    var length = 0
    let outcome = unsafe chost_http_next(handle, milliseconds, &start, &length)
    let status = unsafe chost_http_status(handle)
    switch outcome {
    case CHOST_HTTP_DATA, CHOST_HTTP_END:
      let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: length))
      guard status == 200 else {
        throw .refused(target: Self.path(target), status: status, message: ContainerMessages.refusal(bytes))
      }
      return outcome == CHOST_HTTP_DATA ? .bytes(bytes) : .end
    case CHOST_HTTP_IDLE: return .nothing
    case CHOST_HTTP_STOPPED: throw .stopped
    default: throw failure
    }
  }

  /// The whole answer to GET `target`; at most `limit` bytes of it.
  func get(_ target: String, limit: Int) throws(ContainerAPIError) -> [UInt8] {
    try begin(target, endless: false)
    var answer: [UInt8] = []
    while true {
      switch try next(target, milliseconds: 1000) {
      case .bytes(let bytes):
        guard answer.count + bytes.count <= limit else { throw .tooLarge(target: Self.path(target), limit: limit) }
        answer += bytes
      case .nothing: continue
      case .end: return answer
      }
    }
  }

  /// Waits, unless told to stop.
  func rest(milliseconds: Int) throws(ContainerAPIError) {
    guard unsafe chost_http_rest(handle, Int32(clamping: milliseconds)) != CHOST_HTTP_STOPPED else { throw .stopped }
  }

  /// A target without its query.
  static func path(_ target: String) -> String { String(target.prefix { $0 != "?" }) }

  private var failure: ContainerAPIError {
    .unreachable("\(socket): \(unsafe String(cString: chost_http_error(handle)))")
  }
}

/// The Docker-compatible API of a container runtime (Docker Engine API 1.41, which podman answers too).
struct ContainerAPI {
  private static let version = "/v1.41"
  /// All containers of a host with their labels: a few kilobytes each, some thousands of them.
  static let maximumList = 32 << 20
  /// One container with its whole configuration: tens of kilobytes as a rule, labels as long as a command line at most.
  static let maximumInspection = 8 << 20
  /// All networks with the containers in them.
  static let maximumNetworks = 16 << 20

  private let request: ContainerRequest

  init(_ request: ContainerRequest) { self.request = request }

  /// The ids of all containers that may hold an address. Only states that both runtimes know: podman refuses
  /// "restarting", which has no address in Docker.
  func list() throws(ContainerAPIError) -> [String] {
    let states = #"{"status":["created","paused","running"]}"#
    let target = "\(Self.version)/containers/json?all=true&filters=\(Self.escaped(states))"
    let answer = try request.get(target, limit: Self.maximumList)
    guard let listed = ContainerMessages.decode([ContainerMessages.Listed].self, from: answer) else {
      throw .notUnderstood(target: ContainerRequest.path(target))
    }
    return listed.map(\.id).filter { ContainerMessages.isContainerID($0) }
  }

  /// One container; nil when there is none of that id.
  func inspect(_ id: String) throws(ContainerAPIError) -> ContainerMessages.Inspected? {
    guard ContainerMessages.isContainerID(id) else { return nil }
    let target = "\(Self.version)/containers/\(id)/json"
    let answer: [UInt8]
    do throws(ContainerAPIError) {
      answer = try request.get(target, limit: Self.maximumInspection)
    } catch .refused(_, 404, _) {
      return nil
    }
    guard let inspected = ContainerMessages.decode(ContainerMessages.Inspected.self, from: answer), inspected.id == id
    else { throw .notUnderstood(target: ContainerRequest.path(target)) }
    return inspected
  }

  /// The subnets of all networks.
  func networks() throws(ContainerAPIError) -> [ContainerNetwork] {
    let target = "\(Self.version)/networks"
    let answer = try request.get(target, limit: Self.maximumNetworks)
    guard let networks = ContainerMessages.decode([ContainerMessages.Network].self, from: answer) else {
      throw .notUnderstood(target: ContainerRequest.path(target))
    }
    return networks.flatMap(\.networks)
  }

  /// The request for events of containers and networks since a second of the Unix epoch, without an end.
  static func eventsTarget(since: Int64) -> String {
    "\(version)/events?since=\(since)&filters=\(escaped(#"{"type":["container","network"]}"#))"
  }

  /// Text in a query (RFC 3986 section 2.1).
  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }
}

/// Cuts a stream into lines.
struct LineCutter {
  /// The longest line kept. An event carries its container's labels, which may be long; nothing needs longer ones.
  static let maximumLine = 1 << 20

  private var line: [UInt8] = []
  private var isTooLong = false

  /// Appends bytes; calls `body` for each line that they complete, without its newline, and with nil for one that was
  /// too long.
  mutating func append(_ bytes: [UInt8], _ body: ([UInt8]?) throws(ContainerAPIError) -> Void)
    throws(ContainerAPIError)
  {
    for piece in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      if piece.offset > 0 {
        let complete: [UInt8]? = isTooLong ? nil : line
        line.removeAll(keepingCapacity: true)
        isTooLong = false
        if complete?.isEmpty != true { try body(complete) }
      }
      guard !isTooLong else { continue }
      if line.count + piece.element.count > Self.maximumLine {
        isTooLong = true
        line.removeAll()
      } else {
        line += piece.element
      }
    }
  }
}
