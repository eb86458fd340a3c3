import CNetfilterQueue
import Glibc
import PacketInspect
import Synchronization

/// One queue, bound, with a plain thread of its own.
final class QueueThread: Sendable {
  /// To stop, wake and observe the queue.
  let control: QueueControl
  private let thread: pthread_t
  private let outcome: Outcome

  /// Binds the queue (so that its errors are thrown here) and starts serving it with `handler`.
  /// `onEnd` is called on the queue's thread as its last act, with the error when it was no ordered stop.
  init<Handler: PacketHandler>(
    _ options: QueueOptions, layout: MarkLayout, handler: sending Handler,
    onEnd: @escaping @Sendable (QueueError?) -> Void = { _ in }
  ) throws(QueueError) {
    let socket = try QueueSocket(options)
    let control = QueueControl(waker: socket.waker())
    let outcome = Outcome()
    let loop = QueueLoop(
      socket: socket, handler: handler, layout: layout, control: control, idleMilliseconds: options.idleMilliseconds)
    let work = Work(loop, name: "nfqueue-\(options.number)") { error in
      outcome.error.withLock { $0 = error }
      onEnd(error)
    }
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(work as Runnable)
    let failure = unsafe pthread_create(&thread, nil, runThread, context.toOpaque())
    guard failure == 0 else {
      unsafe context.release()
      throw .system(queue: options.number, operation: "starting a thread", number: failure)
    }
    self.control = control
    self.thread = thread
    self.outcome = outcome
  }

  /// Waits for the thread's end; throws what ended it. To be called once.
  func join() throws(QueueError) {
    pthread_join(thread, nil)
    if let error = outcome.error.withLock({ $0 }) { throw error }
  }

  private final class Outcome: Sendable {
    let error = Mutex<QueueError?>(nil)
  }
}

/// Takes a loop over to its thread.
private class Runnable {
  func run() {}
}

private final class Work<Handler: PacketHandler>: Runnable {
  private var loop: QueueLoop<Handler>
  private let end: (QueueError?) -> Void

  private let name: String

  init(_ loop: consuming QueueLoop<Handler>, name: String, end: @escaping (QueueError?) -> Void) {
    self.loop = loop
    self.name = name
    self.end = end
  }

  override func run() {
    unsafe cnfq_name_thread(name)
    do throws(QueueError) {
      try loop.run()
      end(nil)
    } catch {
      end(error)
    }
  }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context = unsafe context {
    unsafe Unmanaged<Runnable>.fromOpaque(context).takeRetainedValue().run()
  }
  return nil
}
