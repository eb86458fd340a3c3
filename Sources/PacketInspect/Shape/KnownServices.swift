/// Services that agents' tools call regularly, or send much to, without anything being wrong: models and telemetry.
///
/// A stand-in for categories, by registrable domain. It only exempts from what such calls look like (`beacon`, `drip`,
/// and sums over a connection or a day); budgets, deny-lists and single large uploads know no exemption. Whoever sends
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

  /// True when calls to the destination are ordinary work, however regular. Only names that a trusted resolver's answer
  /// stands behind can be keys, so an address cannot pass for one.
  static func contains(_ key: DestinationKey, _ policy: ShapePolicy) -> Bool {
    guard case .domain(let name) = key else { return false }
    return domains.contains(name) || (!policy.services.isEmpty && policy.services.contains(name))
  }
}
