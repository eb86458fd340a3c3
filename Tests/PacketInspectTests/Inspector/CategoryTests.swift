import Testing

@testable import PacketInspect

@Suite("A destination's category")
struct CategoryTests {
  static let policy = TestPolicy(categories: [
    ("code-hosting", ["github.com"]), ("paste", ["gist.github.com", "paste.example"]),
  ])

  private func categories(_ lab: InspectorLab) -> [String?] { lab.events.compactMap(\.destination).map(\.category) }

  @Test("is that of the whole name, not of the domain it counts as")
  func wholeName() {
    var lab = InspectorLab(Self.policy)
    lab.ask("github.com")
    lab.ask("gist.github.com")
    lab.ask("other.example")
    #expect(categories(lab) == ["code-hosting", "paste", "unknown"])
    #expect(lab.destinations == ["github.com", "other.example"])
  }

  @Test("is that of a claimed name only when a trusted resolver gave the name this address")
  func corroborated() {
    var lab = InspectorLab(Self.policy)
    lab.lookUp("paste.example", "93.184.216.20")
    lab.connect("93.184.216.20:443", sending: hello("paste.example"))
    #expect(lab.destination?.evidence == .sni && lab.destination?.category == "paste")
    lab.connect("93.184.216.21:443", sending: hello("paste.example"))
    #expect(lab.destination?.evidence == .sniUnverified && lab.destination?.category == "unknown")
  }

  @Test("is that of the name whose address a nameless flow goes to, and unknown for a bare address")
  func nameless() {
    var lab = InspectorLab(Self.policy)
    lab.lookUp("paste.example", "93.184.216.20")
    lab.connect("93.184.216.20:443", sending: TLSHelloBuilder().stream)
    #expect(lab.destination?.evidence == .dnsAnswer && lab.destination?.category == "paste")
    lab.connect("93.184.216.22:443", sending: TLSHelloBuilder().stream)
    #expect(lab.destination?.evidence == .address && lab.destination?.category == "unknown")
  }

  @Test("is not said of the operator's own")
  func own() {
    var lab = InspectorLab(Self.policy)
    lab.ask("db.internal")
    #expect(categories(lab) == [nil])
  }
}
