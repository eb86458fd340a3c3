import CHostLibraries
import Glibc

/// Packets are in memory, and must not get out by a crash.
enum PrivateMemory {
  /// Lets a crash leave a message and a status, and nothing of memory: no core file, and not the runtime's backtrace,
  /// which prints what registers point to.
  ///
  /// Whoever sets SWIFT_BACKTRACE (https://github.com/swiftlang/swift/blob/main/docs/Backtracing.rst) asks for a backtrace
  /// and gets it, to look for a fault with traffic that nobody minds.
  static func keep() {
    let wantsBacktrace = unsafe getenv("SWIFT_BACKTRACE") != nil
    let failure = chost_keep_memory_private(wantsBacktrace ? 0 : 1)
    if failure != 0 { HostServices.complain("core files cannot be turned off: errno \(failure)") }
  }
}
