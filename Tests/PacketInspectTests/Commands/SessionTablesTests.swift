import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Sessions as people read them")
struct SessionTablesTests {
  private let now = 1_800_000_240.0

  private func session(_ id: String, used: Int, ceiling: Int?) -> ControlSession {
    ControlSession(ControlFixture.overview(id, used: used, ceiling: ceiling))
  }

  @Test("columns are aligned: text to the left, figures to the right")
  func aligned() {
    let sessions = [session("a", used: 9, ceiling: 10), session("long-name", used: 123, ceiling: nil)]
    let lines = SessionTables.list(sessions, at: now)
    #expect(
      lines == [
        "SESSION    TYPE      USED  CEILING  SHARE  ON REACH  FLOWS  SENT  REFUSED  FLAGS       SEEN    STARTED  BY",
        "a          research     9       10    90%  hold          0   0 B        0      0  2 min ago  4 min ago  registered-address",
        "long-name  research   123        -      -  -             0   0 B        0      0  2 min ago  4 min ago  registered-address",
      ])
    #expect(SessionTables.list([], at: now) == ["no session lives"])
  }

  @Test("the fullest budget comes first, and what has no ceiling last")
  func order() {
    let sessions = [
      session("none", used: 900, ceiling: nil), session("b", used: 5, ceiling: 10),
      session("a", used: 50, ceiling: 100),
      session("full", used: 3, ceiling: 3), session("zero", used: 0, ceiling: 0),
    ]
    #expect(SessionList.sorted(sessions, by: .budget).map(\.id) == ["full", "zero", "a", "b", "none"])
    #expect(SessionList.sorted(sessions, by: .destinations).map(\.id) == ["none", "a", "b", "full", "zero"])
    #expect(SessionList.sorted(sessions, by: .id).map(\.id) == ["a", "b", "full", "none", "zero"])
  }

  @Test("names from the network cannot steer a terminal")
  func printable() {
    #expect(TextTable.printable("a\u{1b}[2Jb\u{202e}c\n") == "a?[2Jb?c?")
    #expect(TextTable.printable("bücher.example") == "bücher.example")
  }

  @Test(
    "times are told as ages",
    arguments: [
      (0.0, "just now"), (-5, "just now"), (59.9, "59 s ago"), (60, "1 min ago"), (3_599, "59 min ago"),
      (3_600, "1 h ago"), (172_799, "47 h ago"), (172_800, "2 d ago"), (1e300, "1000000000 d ago"),
    ])
  func ages(seconds: Double, text: String) {
    #expect(HumanText.age(0, at: seconds) == text)
  }

  @Test(
    "bytes are told with two figures or more",
    arguments: [
      (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_550, "1.6 kB"), (9_960, "10 kB"), (999_499, "999 kB"),
      (999_500, "1.0 MB"), (20_000_000, "20 MB"), (UInt64.max, "18 EB"),
    ])
  func bytes(count: UInt64, text: String) {
    #expect(HumanText.bytes(count) == text)
  }

  @Test(
    "a budget that is not full is never shown as full",
    arguments: [(0.999, "99%"), (1, "100%"), (1.5, "150%"), (0, "0%")])
  func shares(share: Double, text: String) {
    #expect(HumanText.share(share) == text)
  }

  @Test("a session's destinations stand below its head")
  func show() {
    var one = session("a", used: 12, ceiling: 20)
    one.budget.extendedBy = 10
    let head = SessionTables.head(one, addresses: ["10.0.0.7"], cgroups: [], at: now)
    #expect(head.contains("addresses   10.0.0.7"))
    #expect(head.contains("budget      12 of 20 destinations (extended by 10), then hold"))
    let record = DestinationRecord(
      firstSeen: Timestamp(seconds: 1_800_000_000), lastSeen: Timestamp(seconds: 1_800_000_230), contacts: 42,
      evidence: .sni)
    #expect(
      SessionTables.destinations([ControlDestination(.domain("example.com"), record)], at: now) == [
        "DESTINATION  CATEGORY  EVIDENCE  FIRST SEEN  LAST SEEN  CONTACTS",
        "example.com  unknown   sni        4 min ago   10 s ago        42",
      ])
  }
}
