import Glibc

/// The signals that steer the daemon, taken one at a time by the main thread instead of by handlers.
struct Signals {
  enum Order {
    /// SIGTERM or SIGINT: drain and exit.
    case stop
    /// SIGHUP: read configuration and lists again.
    case reload
    /// Another thread has something for this one.
    case look
    /// None within the time waited.
    case none
  }

  private var set = sigset_t()
  private let thread = pthread_self()

  /// Blocks them for this thread and every thread it starts from now on.
  init() {
    unsafe sigemptyset(&set)
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR2] { unsafe sigaddset(&set, signal) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    // A reader of standard output that goes away must not end the daemon.
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  /// Ends a wait of the thread that made this, from any other.
  var wake: @Sendable () -> Void {
    let thread = thread
    return { pthread_kill(thread, SIGUSR2) }
  }

  /// Waits at most `seconds` for one.
  mutating func wait(seconds: Int) -> Order {
    var limit = timespec(tv_sec: seconds, tv_nsec: 0)
    switch unsafe sigtimedwait(&set, nil, &limit) {
    case SIGTERM, SIGINT: return .stop
    case SIGHUP: return .reload
    case SIGUSR2: return .look
    default: return .none
    }
  }
}
