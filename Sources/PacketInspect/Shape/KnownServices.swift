/// Services that agents' tools call regularly, or send much to, without anything being wrong: models and telemetry.
///
/// By category, and by registrable domain for where no category list is configured. This only exempts from what such
/// calls look like (`beacon`, `drip`, and sums over a connection or a day); budgets, deny-lists and single large uploads know no exemption. Whoever sends
/// through one of these is not seen here: they take anybody's data.
enum KnownServices {
  static let domains: Set<String> = [
    // Models.
    "openai.com", "anthropic.com", "claude.ai", "mistral.ai", "cohere.com", "cohere.ai", "groq.com", "together.xyz",
    "together.ai", "deepseek.com", "x.ai", "openrouter.ai", "perplexity.ai", "fireworks.ai",
    "githubcopilot.com", "cursor.sh",
    // Telemetry of tools and SDKs.
    "sentry.io", "datadoghq.com", "datadoghq.eu", "newrelic.com", "nr-data.net", "honeycomb.io", "posthog.com",
    "segment.io", "amplitude.com", "mixpanel.com", "statsig.com", "statsigapi.net", "launchdarkly.com", "bugsnag.com",
    "rollbar.com", "grafana.net", "langchain.com", "wandb.ai",
  ]

  /// Models and telemetry.
  private static let uploads = bits(["llm-api", "telemetry"])
  /// Besides, what tools ask again and again whether a job is done.
  private static let polled = bits(["llm-api", "telemetry", "code-hosting", "package-registry", "api"])

  /// What pages bring along and report to.
  private static let reports = bits(["advertising-and-tracking"])

  /// Where whole files are put: object storage, repositories, registries.
  private static let stores = bits(["cloud-provider", "code-hosting", "package-registry"])
  /// How often `uploadBytes` may be put there, in one flow, by a type whose baseline lists the category.
  static let storeFactor: UInt64 = 4

  /// True for a name where large uploads are what the destination is for. Whether they are the agent's business its
  /// type tells. An address is none, whatever name it claims.
  static func isStore(_ key: DestinationKey, _ category: Category) -> Bool {
    guard case .domain = key else { return false }
    return stores & bit(category) != 0
  }

  /// True when regular calls alone are ordinary.
  static func isPolled(_ category: Category) -> Bool { polled & bit(category) != 0 }

  /// True for those that the scripts of pages report to, dozens in one visit.
  static func isReportedTo(_ category: Category) -> Bool { reports & bit(category) != 0 }

  private static func bit(_ category: Category) -> UInt64 { 1 << UInt64(category.rawValue & 63) }

  private static func bits(_ names: [String]) -> UInt64 {
    let known = CategoryNames()
    return names.reduce(0) { $0 | (known.category(named: $1).map { bit($0) } ?? 0) }
  }

  /// True when calls to the destination are ordinary work, however regular. Only names that a trusted resolver's answer
  /// stands behind can be keys, so an address cannot pass for one.
  static func contains(_ key: DestinationKey, _ category: Category, _ policy: ShapePolicy) -> Bool {
    guard case .domain(let name) = key else { return false }
    if uploads & bit(category) != 0 { return true }
    return domains.contains(name) || (!policy.services.isEmpty && policy.services.contains(name))
  }
}
