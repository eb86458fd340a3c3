import Glibc
import Testing

@testable import nfq_egressd

@Suite("The service manager")
struct ServiceManagerTests {
  private func manager(_ environment: [String: String]) -> ServiceManager {
    ServiceManager(environment: { environment[$0] }, process: 7)
  }

  @Test("watches as often as its environment says, where that means this process")
  func interval() {
    let socket = ["NOTIFY_SOCKET": "/nowhere"]
    func interval(_ more: [String: String]) -> Int64? {
      manager(socket.merging(more) { $1 }).watchdogInterval
    }
    #expect(interval(["WATCHDOG_USEC": "2000000"]) == 2_000_000_000)
    #expect(interval(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"]) == 2_000_000_000)
    #expect(interval(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"]) == nil)
    for odd in ["0", "-5", "soon", "9223372036854775807", ""] { #expect(interval(["WATCHDOG_USEC": odd]) == nil) }
    #expect(manager(["WATCHDOG_USEC": "2000000"]).watchdogInterval == nil)
  }

  @Test("that is away costs nothing and ends nothing")
  func nobody() {
    for path in ["/nowhere/at/all", "", String(repeating: "x", count: 200), "@nobody-listens-here"] {
      manager(["NOTIFY_SOCKET": path]).tell(.ready("well"))
    }
    manager([:]).tell(.stopping)
  }

  @Test("hears of life only while the queue's thread goes round", arguments: [false, true])
  func watchdog(isWatched: Bool) throws {
    let name = "@nfq-egressd-test-\(getpid())-\(isWatched)"
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    defer { close(descriptor) }
    #expect(unsafe UnixAddress.with(name) { unsafe bind(descriptor, $0, $1) } == 0)
    func heard() -> String? {
      var bytes = [UInt8](repeating: 0, count: 256)
      let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
      return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }
    var environment = ["NOTIFY_SOCKET": name]
    if isWatched { environment["WATCHDOG_USEC"] = "10000000" }
    let manager = manager(environment)
    var watchdog = Watchdog(manager)
    watchdog.look(at: 5)
    #expect(heard() == (isWatched ? "WATCHDOG=1" : nil))
    watchdog.look(at: 5)
    watchdog.look(at: 5)
    #expect(heard() == nil)
    watchdog.look(at: 6)
    #expect(heard() == (isWatched ? "WATCHDOG=1" : nil))
    manager.tell(.ready("3 lists"))
    #expect(heard() == "READY=1\nSTATUS=3 lists")
    #expect(heard() == nil)
  }
}
