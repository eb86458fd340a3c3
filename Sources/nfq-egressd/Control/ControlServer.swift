import Glibc
import Logging
import Synchronization

/// Serves the control socket on a thread of its own: one poll over all connections.
final class ControlServer: Sendable {
  /// Clients at one time: subcommands and orchestrators stay for milliseconds.
  static let maximumConnections = 64
  /// Time in which a client must complete a request or take some of its answer.
  static let patience = Duration.seconds(10)
  /// Time in which the packet path must look: it does at least every 100 ms.
  static let commandMilliseconds = 2_000

  private let listener: ControlListener
  private let service: ControlService
  private let patience: Duration
  private let stopping = Atomic(false)

  init(_ listener: ControlListener, service: ControlService, patience: Duration = ControlServer.patience) {
    self.listener = listener
    self.service = service
    self.patience = patience
  }

  /// Asks the thread to end. Returns at once.
  func stop() {
    stopping.store(true, ordering: .releasing)
    // Wakes the poll (and refuses whoever comes now).
    shutdown(listener.descriptor, Int32(SHUT_RDWR))
  }

  /// The thread's body. Removes the socket's file at its end.
  func run() {
    defer { listener.remove() }
    var connections = Connections()
    while !stopping.load(ordering: .acquiring) {
      var polled = [pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)]
      connections.addInterests(to: &polled)
      guard unsafe poll(&polled, nfds_t(polled.count), connections.millisecondsToDeadline) >= 0 || errno == EINTR else {
        return
      }
      for (index, entry) in polled.dropFirst().enumerated() where entry.revents != 0 {
        connections.proceed(index) { service.answer($0, from: $1) }
      }
      connections.removeDone()
      if polled[0].revents != 0 { accept(into: &connections) }
    }
  }

  private func accept(into connections: inout Connections) {
    while !stopping.load(ordering: .acquiring) {
      let descriptor = Glibc.accept(listener.descriptor, nil, nil)
      guard descriptor >= 0 else {
        // Out of descriptors: the client stays in the backlog, and asking at once again would only burn time.
        if errno != EAGAIN && errno != EINTR && errno != ECONNABORTED { usleep(100_000) }
        return
      }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      var connection = ControlConnection(descriptor, patience: patience)
      if connections.count >= Self.maximumConnections {
        connection.dismiss(
          with: ControlService.encode(
            ControlResponse(
              ControlError(.tooManyConnections, "\(Self.maximumConnections) clients are connected; try again"))))
      } else {
        connections.add(connection)
      }
    }
  }
}

/// The clients that are connected.
private struct Connections: ~Copyable {
  /// A box each, since arrays do not hold what cannot be copied.
  private final class Box {
    var connection: ControlConnection
    init(_ connection: consuming ControlConnection) { self.connection = connection }
  }

  private var boxes: [Box] = []

  var count: Int { boxes.count }

  mutating func add(_ connection: consuming ControlConnection) { boxes.append(Box(connection)) }

  func addInterests(to polled: inout [pollfd]) {
    for box in boxes {
      polled.append(pollfd(fd: box.connection.descriptor, events: box.connection.interest, revents: 0))
    }
  }

  /// For poll: -1 when nobody is connected.
  var millisecondsToDeadline: Int32 {
    guard let first = boxes.map({ $0.connection.deadline }).min() else { return -1 }
    let left = ContinuousClock.now.duration(to: first).components
    return Int32(clamping: max(0, left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000 + 1))
  }

  func proceed(_ index: Int, _ answer: (ArraySlice<UInt8>, ControlPeer?) -> [UInt8]) {
    boxes[index].connection.proceed(answer)
  }

  mutating func removeDone() {
    let now = ContinuousClock.now
    boxes.removeAll { $0.connection.isDone || $0.connection.deadline <= now }
  }
}
