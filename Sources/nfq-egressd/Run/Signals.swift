import Glibc

/// The signals that steer the daemon, taken one at a time by the main thread instead of by handlers.
struct Signals {
  enum Order {
    /// SIGTERM or SIGINT: drain and exit.
    case stop
    /// SIGHUP: read configuration and lists again.
    case reload
    /// None within the time waited.
    case none
  }

  private var set = sigset_t()

  /// Blocks them for this thread and every thread it starts from now on.
  init() {
    unsafe sigemptyset(&set)
    for signal in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, signal) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    // A reader of standard output that goes away must not end the daemon.
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  /// Waits at most `seconds` for one.
  mutating func wait(seconds: Int) -> Order {
    var limit = timespec(tv_sec: seconds, tv_nsec: 0)
    switch unsafe sigtimedwait(&set, nil, &limit) {
    case SIGTERM, SIGINT: return .stop
    case SIGHUP: return .reload
    default: return .none
    }
  }
}
