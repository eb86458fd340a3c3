import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel; see QueueLiveTests for how to run them.
@Suite("Conntrack entries of an address", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(1)))
struct ConntrackLiveTests {
  init() throws { try Live.prepare() }

  private func insert(_ source: String, _ destination: String, port: Int, more: [String] = []) throws {
    try Live.run(
      ["conntrack", "-I", "-s", source, "-d", destination, "-p", "udp", "--sport", "\(port)", "--dport", "53"]
        + ["-t", "60"] + more)
  }

  private func listed() throws -> [String] {
    let families = try ["ipv4", "ipv6"].map { try Live.run("conntrack", "-f", $0, "-L") }
    return families.joined().split(separator: "\n").filter { $0.contains("src=") }.map(String.init)
  }

  @Test("all entries of an address go, as source and as destination, in both families, and nobody else's")
  func deletion() throws {
    try Live.run("conntrack", "-F")
    for port in 2000..<2010 { try insert("10.88.0.7", "192.0.2.1", port: port) }
    try insert("10.88.0.8", "10.88.0.7", port: 3000)
    try insert("10.88.0.8", "192.0.2.1", port: 3001)
    try insert("10.88.0.70", "192.0.2.1", port: 3002)
    // Somebody's flow that comes back to the address by translation.
    let translation = [
      "-r", "192.0.2.1", "-q", "10.88.0.7", "--reply-port-src", "53", "--reply-port-dst", "3003",
    ]
    try insert("10.88.0.9", "192.0.2.1", port: 3003, more: translation)
    for port in 2000..<2003 { try insert("fd88::7", "2001:db8::1", port: port) }
    try insert("fd88::8", "2001:db8::1", port: 3001)
    #expect(try listed().count == 18)

    var entries = try ConntrackEntries()
    let four = try entries.deleteAll(of: try #require(IPAddress("10.88.0.7")))
    #expect(four.deleted == 12)
    #expect(!four.isIncomplete)
    let six = try entries.deleteAll(of: try #require(IPAddress("fd88::7")))
    #expect(six.deleted == 3)
    let left = try listed()
    #expect(left.count == 3)
    #expect(left.contains { $0.contains("src=10.88.0.8 dst=192.0.2.1") })
    #expect(left.contains { $0.contains("src=10.88.0.70 ") })
    #expect(left.contains { $0.contains("src=fd88::8 ") })
    #expect(try entries.deleteAll(of: try #require(IPAddress("10.88.0.7"))).deleted == 0)
    try Live.run("conntrack", "-F")
  }

  @Test("a bound on deletions is kept and told")
  func bound() throws {
    try Live.run("conntrack", "-F")
    for port in 2000..<2010 { try insert("10.88.0.7", "192.0.2.1", port: port) }
    var entries = try ConntrackEntries()
    let address = try #require(IPAddress("10.88.0.7"))
    let some = try entries.deleteAll(of: address, limit: 4)
    #expect(some.deleted == 4)
    #expect(some.isIncomplete)
    let rest = try entries.deleteAll(of: address)
    #expect(rest.deleted == 6)
    #expect(!rest.isIncomplete)
  }
}
