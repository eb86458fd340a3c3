import CHostLibraries
import Glibc

/// A program run as a child, for as long as it may take: no shell, no standard input, none of this process's files.
enum BoundedChild {
  /// How long it may take, in nanoseconds: iptables alone waits up to 10 s for its lock, at each of eight calls.
  private static let patience: Int64 = 60 * 1_000_000_000
  /// How long it may take to end when it is told to, and in which it may put things back.
  private static let farewell: Int64 = 10 * 1_000_000_000
  /// Bytes of output that are kept unless more is asked for; the rest is read and thrown away.
  static let keptOutput = 4096

  struct Outcome: Sendable {
    /// What went wrong; nil for exit status 0.
    var trouble: String?
    /// What it wrote, both streams.
    var lines: [String] = []
  }

  /// Runs a program by its absolute path. Told to end by `stopping`. At most `keeping` bytes of its output are kept.
  static func run(
    _ command: [String], environment: [String], stopping: EndFlag, keeping: Int = keptOutput
  ) -> Outcome {
    var child = chost_child()
    let failure = start(command, environment, &child)
    guard failure == 0 else {
      let reason = unsafe strerror(failure).map { unsafe String(cString: $0) } ?? "error \(failure)"
      return Outcome(trouble: "cannot be run: \(reason)")
    }
    defer { close(child.output) }
    var output: [UInt8] = []
    let isLate = !follow(child.process, child.output, stopping, keeping, &output)
    var status: Int32 = 0
    while unsafe waitpid(child.process, &status, 0) < 0, errno == EINTR {}
    let text = String(decoding: output, as: UTF8.self).unicodeScalars
      .map { $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7f ? String($0) : " " }.joined()
    let lines = text.split(separator: "\n").map(String.init)
    if isLate { return Outcome(trouble: "ended before it was done", lines: lines) }
    guard status != 0 else { return Outcome(lines: lines) }
    let code = status & 0x7f == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
    return Outcome(trouble: ([code] + lines.suffix(1)).joined(separator: ": "), lines: lines)
  }

  /// Reads what it writes until it ends. False when it had to be ended.
  private static func follow(
    _ child: pid_t, _ output: Int32, _ stopping: EndFlag, _ keeping: Int, _ text: inout [UInt8]
  ) -> Bool {
    var deadline = monotonic() + patience
    var isTold = false
    while true {
      if !isTold, stopping.isSet || monotonic() >= deadline {
        isTold = true
        deadline = monotonic() + farewell
        // The whole group: what it has started itself keeps the pipe open.
        kill(-child, SIGTERM)
      } else if isTold, monotonic() >= deadline {
        kill(-child, SIGKILL)
        return false
      }
      var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&wait, 1, 100) > 0 else { continue }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = unsafe read(output, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return !isTold }
      text += chunk[..<count].prefix(max(0, keeping - text.count))
    }
  }

  private static func start(_ command: [String], _ environment: [String], _ child: inout chost_child) -> Int32 {
    let words = unsafe command.map { unsafe strdup($0) }
    let variables = unsafe environment.map { unsafe strdup($0) }
    defer { unsafe (words + variables).forEach { unsafe free($0) } }
    let ended = unsafe words.map { unsafe UnsafePointer($0) } + [nil]
    let variablesEnded = unsafe variables.map { unsafe UnsafePointer($0) } + [nil]
    return unsafe chost_child_start(ended, variablesEnded, &child)
  }

  private static func monotonic() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
