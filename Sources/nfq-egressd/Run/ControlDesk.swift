import Logging

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

  /// Begins to serve commands, which `queue` carries out.
  func open(for queue: QueueControl) throws(ControlListener.Failure) {
    let service = ControlService(execute: { [mailbox] command in
      mailbox.perform(command, milliseconds: ControlServer.commandMilliseconds) { queue.wake() }
    })
    let server = ControlServer(listener, service: service)
    thread = PlainThread { server.run() }
    guard thread != nil else { throw ControlListener.Failure(description: "no thread for the control socket") }
    self.server = server
    try listener.publish()
  }

  /// Ends serving, and the socket.
  func close() {
    server?.stop()
    thread?.join()
    (server, thread) = (nil, nil)
  }
}
