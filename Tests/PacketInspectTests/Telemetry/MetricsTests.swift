import PacketInspect
import Testing

@testable import PacketInspect
@testable import nfq_egressd

@Suite("Metrics")
struct MetricsTests {
  @Test("are written with one help and one type line, escaped labels and every kind of number")
  func text() {
    var text = MetricsText()
    text.begin("one_total", .counter, "First line\nand \\ a second.")
    text.sample([("a", "x"), ("b", "q\" \\ \n")], 18_446_744_073_709_551_615)
    text.sample(suffix: "_sum", number: 0.25)
    text.single("two", .gauge, "Two.", number: .infinity)
    text.single("three", .gauge, "Three.", 7)
    #expect(
      String(decoding: text.bytes, as: UTF8.self) == #"""
        # HELP one_total First line\nand \\ a second.
        # TYPE one_total counter
        one_total{a="x",b="q\" \\ \n"} 18446744073709551615
        one_total_sum 0.25
        # HELP two Two.
        # TYPE two gauge
        two +Inf
        # HELP three Three.
        # TYPE three gauge
        three 7

        """#)
  }

  @Test("count verdicts under every action and reason by themselves")
  func verdicts() {
    let ordinals = Reason.allCases.map(\.ordinal)
    #expect(Set(ordinals).count == Reason.allCases.count)
    #expect(ordinals.allSatisfy { $0 >= 0 && $0 < 21 })
    var counts = VerdictCounts()
    #expect(counts.all.isEmpty)
    var expected: [UInt64] = []
    for (number, reason) in Reason.allCases.enumerated() {
      for action: Action in [.accept, .drop, .reject] {
        let times = number * 3 + Int(action.rawValue) + 1
        for _ in 0..<times { counts.count(action, reason) }
        expected.append(UInt64(times))
      }
    }
    #expect(counts.all.map(\.packets).sorted() == expected)
    #expect(counts.all.first { $0.action == .reject && $0.reason == .deniedName }?.packets == 12)
  }

  @Test("count the inspector's verdicts and flags")
  func inspector() {
    var lab = InspectorLab(TestPolicy(denied: ["denied.net"]))
    lab.ask("good.example")
    lab.ask("denied.net")
    lab.ask("denied.net")
    let rows = lab.inspector.verdicts.all
    #expect(rows.first { $0.action == .reject && $0.reason == .deniedName }?.packets == 2)
    #expect(rows.map(\.packets).reduce(0, +) == lab.inspector.counters.packets)
    #expect(lab.inspector.flagCounts[.denyHit] == 1)
    #expect(lab.inspector.typeFigures().map(\.sessions) == [1])
  }

  @Test(
    "put a session into the part of its budget that it has used",
    arguments: [
      (0, 10, BudgetUse.low), (4, 10, .low), (5, 10, .half), (7, 10, .half), (8, 10, .high), (9, 10, .high),
      (10, 10, .reached), (11, 10, .reached), (0, 0, .reached),
    ])
  func budgetUse(used: Int, ceiling: Int, use: BudgetUse) {
    var overview = SessionOverview(
      id: "s", agentType: "t", attribution: .address, started: Timestamp(seconds: 0), lastSeen: Timestamp(seconds: 0),
      destinations: used, ceiling: ceiling, onReach: .flag, extendedBy: 0, figures: SessionFigures())
    #expect(BudgetUse(overview) == use)
    overview.ceiling = nil
    #expect(BudgetUse(overview) == nil)
  }

  @Test("put a verdict's time into the bucket that holds it")
  func latency() {
    var latency = VerdictLatency()
    latency.note(3, took: 20_000)
    latency.note(2, took: 20_001)
    latency.note(1, took: 1_000_000_000)
    latency.note(1, took: -5)
    #expect(latency.packets.first == 4)
    #expect(latency.packets[1] == 2)
    #expect(latency.packets.last == 1)
    #expect(latency.sum == 60_000 + 40_002 + 1_000_000_000)
  }

  @Test(
    "are served at addresses with a port, and nowhere else",
    arguments: [
      ("127.0.0.1:9478", "127.0.0.1:9478"), ("[::1]:1", "[::1]:1"), ("0.0.0.0:65535", "0.0.0.0:65535"),
      ("localhost:9478", nil), ("127.0.0.1", nil), ("127.0.0.1:0", nil), ("127.0.0.1:65536", nil),
      ("::1:9478", nil), ("[127.0.0.1]:80", nil), ("127.0.0.1:+80", nil), ("", nil), (":80", nil),
    ] as [(String, String?)])
  func listen(text: String, expected: String?) {
    #expect(ListenAddress(text)?.description == expected)
  }
}
