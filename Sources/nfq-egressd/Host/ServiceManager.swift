import Glibc

/// Tells systemd how the service is, as sd_notify(3) describes: one datagram to the socket that NOTIFY_SOCKET names.
/// Without one every call does nothing.
struct ServiceManager {
  private let path: String?
  /// How often at least the watchdog wants to hear of us, in nanoseconds; nil when nobody watches.
  let watchdogInterval: Int64?

  /// From the environment that systemd gives: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
  init(environment: (String) -> String? = Self.environment, process: Int32 = getpid()) {
    path = environment("NOTIFY_SOCKET")
    let isForUs = environment("WATCHDOG_PID").map { Int32($0) == process } ?? true
    let microseconds = environment("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
    watchdogInterval =
      path != nil && isForUs && microseconds > 0 && microseconds < .max / 1_000 ? microseconds * 1_000 : nil
  }

  /// What the service does now, in words for `systemctl status`.
  enum State {
    /// It serves.
    case ready(String)
    /// It reads its configuration again; `ready` follows.
    case reloading
    /// It drains and ends.
    case stopping
    /// Packets are being served: the watchdog's timer begins anew.
    case alive
  }

  /// Tells it. What cannot be told is lost: the service must not depend on who watches it.
  func tell(_ state: State) {
    switch state {
    case .ready(let status): send("READY=1\nSTATUS=\(status)")
    case .reloading: send("RELOADING=1\nMONOTONIC_USEC=\(Self.monotonicMicroseconds)")
    case .stopping: send("STOPPING=1")
    case .alive: send("WATCHDOG=1")
    }
  }

  private func send(_ text: String) {
    guard let path else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    _ = unsafe UnixAddress.with(path) { address, length in
      unsafe bytes.withUnsafeBytes { buffer in
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = unsafe sendto(descriptor, buffer.baseAddress, buffer.count, flags, address, length)
        return sent < 0 ? -1 : 0
      }
    }
  }

  private static var monotonicMicroseconds: Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
  }

  private static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
