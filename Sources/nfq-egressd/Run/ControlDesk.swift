import Logging
import PacketInspect

/// The control socket, its thread, and the way from there to the queue's thread.
final class ControlDesk {
  /// Where the queue's thread looks for commands.
  let mailbox = ControlMailbox()
  private let listener: ControlListener
  private var server: ControlServer?
  private var thread: PlainThread?

  /// Makes the socket, which nobody can reach yet: what is wrong with it shows before a packet is taken.
  init(_ configuration: Configuration.Control, log: Logger) throws(ControlListener.Failure) {
    listener = try ControlListener(path: configuration.socket, group: configuration.group)
    if let warning = listener.warning { log.warning("\(warning)") }
  }

  deinit { listener.remove() }

  /// Begins to serve commands, which `queue` carries out, or `keeper` where they are about overlays. `store` is the
  /// store's path.
  func open(
    for queue: QueueControl, keeper: PolicyKeeper, store: String?, suffixes: PublicSuffixes,
    status: @escaping @Sendable () -> ControlStatus
  ) throws(ControlListener.Failure) {
    let execute = { @Sendable [mailbox] (command: ControlCommand) in
      mailbox.perform(command, milliseconds: ControlServer.commandMilliseconds) { queue.wake() }
    }
    var service = ControlService(execute: execute)
    service.status = status
    service.reader.isRegistrySuffix = { suffixes.isRegistrySuffix($0) }
    let settle = { @Sendable (session: String) -> Bool? in
      guard case .lives(let lives) = execute(.settle(session)) else { return nil }
      return lives
    }
    let overlays = OverlayDesk(keeper: keeper, settle: settle) { session throws(SessionStore.Failure) in
      guard let store else { return nil }
      return try SessionStore.standing(session, path: store)
    }
    service.overlays = overlays
    if let store {
      service.reviews = ReviewDesk(
        overlays: overlays, execute: execute,
        readCases: { id throws(SessionStore.Failure) in try SessionStore.reviewCases(of: id, path: store) },
        readFlags: { id, number throws(SessionStore.Failure) in
          try SessionStore.flags(of: id, after: number, limit: ReviewDesk.maximumFlags, path: store)
        })
    }
    let server = ControlServer(listener, service: service)
    thread = PlainThread { server.run() }
    guard thread != nil else { throw ControlListener.Failure(description: "no thread for the control socket") }
    self.server = server
    try listener.publish()
  }

  /// What sessions come to by agent type; nil when the packet path did not look in time.
  func types(by queue: QueueControl) -> @Sendable () -> [TypeFigures]? {
    { [mailbox] in
      let outcome = mailbox.perform(.types, milliseconds: ControlServer.commandMilliseconds) { queue.wake() }
      guard case .types(let types) = outcome else { return nil }
      return types
    }
  }

  /// Ends serving, and the socket.
  func close() {
    server?.stop()
    thread?.join()
    (server, thread) = (nil, nil)
  }
}
