import Glibc
import PacketInspect

/// What sessions cost in memory: every one with its own destinations, named as real ones are.
enum MemoryBench {
  static func run(sessions: Int, destinations: Int) -> String {
    let policy = PolicySnapshot(PolicySnapshot.Parts(), epoch: 1)
    let now = Timestamp(seconds: 1_800_000_000)
    let before = residentBytes()
    var table = SessionTable()
    for session in 0..<sessions {
      let claim = SessionClaim(id: "session-\(session)", agentType: "research", attribution: .address)
      let index = table.index(for: IPAddress(v4: UInt32(session)), claim: claim, policy: policy, at: now)
      for destination in 0..<destinations {
        let key = DestinationKey.domain("site-\((session &* 7919 &+ destination) % 50_000).com")
        _ = table.contact(index, key, .sni, limit: 4_096, at: now)
      }
    }
    let bytes = residentBytes() - before
    guard table.count == sessions else { return "the table did not take them" }
    let each = bytes / (sessions * destinations)
    return "\(sessions) sessions of \(destinations) destinations: \(bytes / 1_000_000) MB, \(each) bytes a destination"
  }

  /// Resident memory of this process (proc_pid_statm(5)).
  private static func residentBytes() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard unsafe fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}
