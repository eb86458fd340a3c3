import Foundation
import Glibc
import Synchronization

@testable import PacketInspect
@testable import nfq_egressd

/// A directory for one test's socket, and a server in it; all gone at the end.
final class ControlFixture {
  private let place: TemporaryDirectory
  var directory: String { place.path }
  var path: String { directory + "/control.sock" }
  private var server: ControlServer?
  private var thread: PlainThread?

  init() throws { place = try TemporaryDirectory("control") }

  deinit { stop() }

  /// A group of this host that the process's user may give files to.
  static var ownGroup: String { unsafe getgrgid(getegid()).map { unsafe String(cString: $0.pointee.gr_name) } ?? "" }

  func listener(group: String = ownGroup) throws -> ControlListener { try ControlListener(path: path, group: group) }

  /// Serves with an executor in the place of the inspector.
  func serve(patience: Duration = .seconds(10), _ execute: @escaping @Sendable (ControlCommand) -> ControlOutcome?)
    throws
  {
    let listener = try listener()
    let server = ControlServer(listener, service: ControlService(execute: execute), patience: patience)
    thread = PlainThread { server.run() }
    self.server = server
    try listener.publish()
  }

  func stop() {
    server?.stop()
    thread?.join()
    (server, thread) = (nil, nil)
  }

  /// A session as the inspector would tell of it.
  static func overview(_ id: String, used: Int = 3, ceiling: Int? = 10, type: String = "research") -> SessionOverview {
    SessionOverview(
      id: id, agentType: type, attribution: .registeredAddress, started: Timestamp(seconds: 1_800_000_000),
      lastSeen: Timestamp(nanoseconds: 1_800_000_060_250_000_000), ended: nil, destinations: used, ceiling: ceiling,
      onReach: ceiling == nil ? nil : .hold, extendedBy: 0, figures: SessionFigures())
  }
}

/// A client that speaks bytes.
final class RawClient {
  let descriptor: Int32

  init(_ path: String) throws {
    descriptor = try UnixAddress.connect(path).get()
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count {
      let count = unsafe bytes[offset...].withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      offset += count
    }
  }

  /// One line; nil at the end of the connection.
  func line() -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while unsafe read(descriptor, &byte, 1) == 1 {
      if byte == 0x0a { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }

  func response() throws -> ControlResponse? {
    try line().map { try JSONDecoder().decode(ControlResponse.self, from: Data($0.utf8)) }
  }
}
