import Foundation
import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel; see QueueLiveTests for how to run them.
@Suite("Passed flows in connection tracking", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct ConntrackFlowsLiveTests {
  private static let passed = MarkLayout.standard.mark(0x00ab_cdef, with: .pass)

  init() throws {
    try Live.prepare()
    try Live.run("conntrack", "-F")
  }

  /// Makes entries, many at a time.
  private func load(_ lines: [String]) throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("conntrack-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
    try Live.run("conntrack", "-R", file.path)
  }

  private func entry(_ source: String, _ destination: String, port: Int, mark: UInt32) -> String {
    "-I -s \(source) -d \(destination) -p tcp --sport \(port) --dport 443 --state ESTABLISHED -u ASSURED -t 600 -m \(mark)"
  }

  private func marks() throws -> [String: Int] {
    var found: [String: Int] = [:]
    for family in ["ipv4", "ipv6"] {
      // What it says on standard error would come amid a line.
      let listing = try Live.run("sh", "-c", "conntrack -f \(family) -L 2>/dev/null")
      for line in listing.split(separator: "\n") where line.contains("src=") {
        let mark = line.split(separator: " ").first { $0.hasPrefix("mark=") }.map { String($0.dropFirst(5)) }
        found[mark ?? "none", default: 0] += 1
      }
    }
    return found
  }

  @Test("only those are listed, with their endpoints, in both families")
  func listing() throws {
    try load([
      entry("10.88.0.7", "192.0.2.1", port: 2_001, mark: Self.passed),
      entry("fd88::7", "2001:db8::1", port: 2_002, mark: Self.passed),
      entry("10.88.0.7", "192.0.2.1", port: 2_003, mark: MarkLayout.standard.mark(0, with: .denyFlow)),
      entry("10.88.0.7", "192.0.2.1", port: 2_004, mark: 0),
    ])
    var flows = try ConntrackFlows(.standard)
    var found: [KernelFlow] = []
    let isWhole = try flows.list { found.append($0) }
    #expect(isWhole)
    found.sort { $0.sourcePort < $1.sourcePort }
    #expect(found.map(\.sourcePort) == [2_001, 2_002])
    #expect(!found.contains { $0.hasEnded })
    let first = try #require(found.first)
    #expect(first.source == IPAddress("10.88.0.7"))
    #expect(first.destination == IPAddress("192.0.2.1"))
    #expect(first.replySource == IPAddress("192.0.2.1"))
    #expect(first.destinationPort == 443 && first.replySourcePort == 443)
    #expect(first.proto == IPProtocol.tcp.rawValue)
    #expect(found.last?.source == IPAddress("fd88::7"))
    #expect(found.last?.destination == IPAddress("2001:db8::1"))
  }

  @Test("one that both sides have closed is listed as ended, though connection tracking keeps it two minutes more")
  func closed() throws {
    let open = entry("10.88.0.7", "192.0.2.1", port: 2_001, mark: Self.passed)
    try load([open, open.replacing("2001", with: "2002").replacing("ESTABLISHED", with: "TIME_WAIT")])
    var flows = try ConntrackFlows(.standard)
    var found: [UInt16: Bool] = [:]
    _ = try flows.list { found[$0.sourcePort] = $0.hasEnded }
    #expect(found == [2_001: false, 2_002: true])
  }

  @Test("the end of each is heard of, and of no other")
  func ends() throws {
    var flows = try ConntrackFlows(.standard)
    try load([
      entry("10.88.0.7", "192.0.2.1", port: 2_001, mark: Self.passed),
      entry("10.88.0.7", "192.0.2.1", port: 2_002, mark: 0),
      entry("fd88::7", "2001:db8::1", port: 2_003, mark: Self.passed),
    ])
    try Live.run("conntrack", "-F")
    var found: [KernelFlow] = []
    try flows.takeEnded { found.append($0) }
    #expect(found.map(\.sourcePort).sorted() == [2_001, 2_003])
    #expect(found.allSatisfy { $0.hasEnded })
  }

  @Test("ten thousand are taken back, every foreign bit kept and nobody else's touched")
  func revocation() throws {
    let denied = MarkLayout.standard.mark(0, with: .denyFlow)
    try load(
      (0..<8_000).map { entry("10.88.\($0 / 4_000).7", "192.0.2.1", port: 2_000 + $0 % 4_000, mark: Self.passed) }
        + (0..<2_000).map { entry("fd88::7", "2001:db8::1", port: 2_000 + $0, mark: Self.passed) }
        + (0..<10).map { entry("10.88.9.7", "192.0.2.1", port: 2_000 + $0, mark: denied) })
    let before = try marks()
    #expect(before == ["\(Self.passed)": 10_000, "\(denied)": 10])
    var flows = try ConntrackFlows(.standard)
    let start = WallClock.now()
    let result = try flows.revokeAll()
    print("taken back: \(result.flows) flows in \(WallClock.now().since(start) / 1_000) us")
    #expect(result == ConntrackFlows.Revocation(flows: 10_000, vanished: 0, isIncomplete: false))
    let after = try marks()
    #expect(after == ["\(0x00ab_cdef)": 10_000, "\(denied)": 10])
    let none = try flows.revokeAll()
    #expect(none == ConntrackFlows.Revocation())
  }

  @Test("one that is passed and taken back a thousand times beside others never stays passed")
  func again() throws {
    try load((0..<50).map { entry("10.88.0.7", "192.0.2.1", port: 2_000 + $0, mark: 0) })
    var flows = try ConntrackFlows(.standard)
    // Somebody passes flows all the while, as verdicts do.
    let passer = try LiveProcess([
      "sh", "-c",
      "echo begin; for round in $(seq 40); do conntrack -U -s 10.88.0.7 -m \(Self.passed) >/dev/null 2>&1; done; echo end",
    ])
    #expect(passer.line() == "begin")
    var total = 0
    for _ in 0..<1_000 { total += try flows.revokeAll().flows }
    #expect(passer.line() == "end")
    total += try flows.revokeAll().flows
    #expect(total >= 50)
    let left = try marks().keys.map { UInt32($0).map(MarkLayout.standard.state) }
    #expect(left.allSatisfy { $0 == .undecided })
  }

  @Test("nothing is passed where connections are not counted, or their sequence numbers not checked")
  func settings() throws {
    func set(_ name: String, _ value: String) throws {
      try Live.run("sysctl", "-qw", "net.netfilter.\(name)=\(value)")
    }
    try set("nf_conntrack_acct", "1")
    #expect(ConntrackSettings.obstacle() == nil)
    try set("nf_conntrack_acct", "0")
    #expect(ConntrackSettings.obstacle()?.contains("nf_conntrack_acct=1") == true)
    try set("nf_conntrack_acct", "1")
    try set("nf_conntrack_tcp_be_liberal", "1")
    #expect(ConntrackSettings.obstacle()?.contains("be_liberal=0") == true)
    try set("nf_conntrack_tcp_be_liberal", "0")
    #expect(ConntrackSettings.obstacle(in: "/nowhere/")?.contains("modprobe") == true)
  }
}
