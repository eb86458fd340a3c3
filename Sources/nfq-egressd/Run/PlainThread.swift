import Glibc

/// A plain thread for work that waits: the store, the control socket.
struct PlainThread {
  private let thread: pthread_t

  private final class Body {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }

  /// Starts it; nil when the system gives no thread.
  init?(_ work: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(Body(work))
    let failure = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument { unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, context.toOpaque())
    guard failure == 0 else {
      unsafe context.release()
      return nil
    }
    self.thread = thread
  }

  /// Waits for its end. To be called once.
  func join() { pthread_join(thread, nil) }
}
