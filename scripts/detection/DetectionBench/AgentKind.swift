/// A type of agent: how its contacts divide over categories, and how it works.
struct AgentKind {
  var name: String
  /// How its steps divide: parts of one.
  var baseline: [(category: String, share: Double)]
  /// How the contacts that are counted divide, as an operator writes it down who has looked at a few sessions: hosts in
  /// steady use count seldom. Rounded, from seeds of tuning.
  var expected: [(category: String, share: Double)]
  /// Contacts of a session, the median; long-tailed.
  var contacts: Double
  /// Contacts of one task, on average.
  var task: Double
  /// Seconds between two steps, the median; long-tailed.
  var pause: Double
  /// The chance that a visit brings other hosts along.
  var fanOut: Double
  /// The chance that a step goes to a host which the session knows already.
  var revisits: Double

  static let all = [
    AgentKind(
      name: "research",
      baseline: [
        ("documentation", 0.55), ("search", 0.2), ("api", 0.12), ("llm-api", 0.03), ("unknown", 0.1),
      ], expected: [("documentation", 0.5), ("search", 0.19), ("api", 0.12), ("llm-api", 0.07), ("unknown", 0.11)],
      contacts: 220, task: 14, pause: 9, fanOut: 0.35, revisits: 0.35),
    AgentKind(
      name: "documentation-heavy",
      baseline: [
        ("documentation", 0.7), ("search", 0.15), ("api", 0.07), ("llm-api", 0.03), ("unknown", 0.05),
      ], expected: [("documentation", 0.65), ("search", 0.14), ("api", 0.07), ("llm-api", 0.07), ("unknown", 0.06)],
      contacts: 250, task: 16, pause: 8, fanOut: 0.35, revisits: 0.4),
    AgentKind(
      name: "coding",
      baseline: [
        ("code-hosting", 0.38), ("package-registry", 0.22), ("documentation", 0.2), ("search", 0.05), ("llm-api", 0.08),
        ("cdn", 0.02), ("unknown", 0.05),
      ],
      expected: [
        ("code-hosting", 0.29), ("package-registry", 0.19), ("documentation", 0.19), ("llm-api", 0.14), ("cdn", 0.08),
        ("search", 0.05), ("unknown", 0.05),
      ], contacts: 300, task: 18, pause: 14, fanOut: 0.1, revisits: 0.6),
    AgentKind(
      name: "browsing",
      baseline: [
        ("search", 0.2), ("reference", 0.18), ("news", 0.15), ("documentation", 0.12), ("social", 0.08), ("api", 0.07),
        ("cloud-provider", 0.05), ("llm-api", 0.03), ("unknown", 0.12),
      ],
      expected: [
        ("search", 0.18), ("reference", 0.17), ("news", 0.14), ("unknown", 0.14), ("documentation", 0.12),
        ("social", 0.07), ("api", 0.06), ("llm-api", 0.06), ("cloud-provider", 0.05),
      ], contacts: 180, task: 9, pause: 7, fanOut: 0.6, revisits: 0.25),
    AgentKind(
      name: "data",
      baseline: [
        ("api", 0.47), ("cloud-provider", 0.3), ("llm-api", 0.03), ("package-registry", 0.08), ("documentation", 0.06),
        ("unknown", 0.06),
      ],
      expected: [
        ("api", 0.44), ("cloud-provider", 0.25), ("llm-api", 0.11), ("package-registry", 0.07), ("documentation", 0.06),
        ("unknown", 0.06),
      ], contacts: 350, task: 25, pause: 18, fanOut: 0.02, revisits: 0.7),
  ]
}
