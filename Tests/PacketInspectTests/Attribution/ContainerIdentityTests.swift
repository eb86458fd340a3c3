import Testing

@testable import nfq_egressd

@Suite("Sessions by containers' labels")
struct ContainerIdentityTests {
  static let id = "3f9a04c1d2e7" + String(repeating: "0", count: 52)

  private func identity(_ labels: [String: String], name: String = "worker") -> ContainerIdentity {
    ContainerIdentity(id: Self.id, name: name, labels: labels, names: ContainerLabelNames())
  }

  @Test("labels name session and agent type")
  func labels() {
    let identity = identity(["egress.session": "s1", "egress.agent-type": "research", "other": "x"])
    #expect(identity.session == "s1")
    #expect(identity.agentType == "research")
    #expect(identity.isLabelled)
    #expect(identity.warnings.isEmpty)
  }

  @Test("without labels the session is name and short id, and the type unattributed")
  func noLabels() {
    let identity = identity([:])
    #expect(identity.session == "worker-3f9a04c1d2e7")
    #expect(identity.agentType == "unattributed")
    #expect(!identity.isLabelled)
    #expect(identity.warnings.isEmpty)
  }

  @Test(
    "a value that cannot be an id is not taken, and said so",
    arguments: [
      "", " ", "a b", "-x", "../x", "ä", "x\ny", "\u{1b}[31m", "x\"", String(repeating: "a", count: 65), "unattributed",
      "unattributed-10.88.0.9", "resolver",
    ])
  func hostile(_ value: String) {
    let identity = identity(["egress.session": value])
    #expect(identity.session == "worker-3f9a04c1d2e7")
    #expect(!identity.isLabelled)
    #expect(identity.warnings.count == 1)
    #expect(identity.warnings.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 } })
  }

  @Test("an unusable type is unattributed, and does not spoil the session")
  func badType() {
    let identity = identity(["egress.session": "s1", "egress.agent-type": "a type"])
    #expect(identity.session == "s1")
    #expect(identity.agentType == "unattributed")
    #expect(identity.warnings.count == 1)
  }

  @Test("a fallback is a usable id whatever the name")
  func fallbackForm() {
    for name in [
      "", "a/b", "unattributed-x", "ü", String(repeating: "n", count: 64), String(repeating: "n", count: 300),
    ] {
      let session = identity([:], name: name).session
      #expect(SessionWord.isUsable(session), "\(session)")
      #expect(session.hasSuffix("-3f9a04c1d2e7"))
      #expect(!session.hasPrefix("unattributed"))
    }
  }
}
