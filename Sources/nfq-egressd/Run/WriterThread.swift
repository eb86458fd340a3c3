import Glibc

/// A plain thread for the event writer.
struct WriterThread {
  private let thread: pthread_t

  private final class Body {
    let writer: EventWriter
    var file: EventFile?

    init(_ writer: EventWriter, _ file: consuming EventFile) {
      self.writer = writer
      self.file = consume file
    }

    func run() {
      // Packets come first: where cores are scarce, writing events waits, or is dropped and counted (eventBacklog).
      // Zero is the calling thread; raising one's own niceness cannot fail.
      setpriority(.init(PRIO_PROCESS.rawValue), 0, 10)
      if let file = file.take() { writer.run(file) }
    }
  }

  /// Starts it; nil when the system gives no thread.
  init?(_ writer: EventWriter, _ file: consuming EventFile) {
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(Body(writer, file))
    let failure = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument { unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, context.toOpaque())
    guard failure == 0 else {
      unsafe context.release()
      return nil
    }
    self.thread = thread
  }

  /// Waits for its end.
  func join() { pthread_join(thread, nil) }
}
