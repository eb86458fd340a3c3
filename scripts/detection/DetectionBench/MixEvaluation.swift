import PacketInspect

/// Runs timelines through the mix test: contacts by the gap, as the inspector counts them.
struct MixEvaluation {
  let policy: MixPolicy
  private let names = CategoryNames()

  init?(_ kind: AgentKind, settings: Settings) {
    let names = CategoryNames()
    var shares: [Category: Double] = [:]
    for (name, share) in kind.baseline {
      guard let category = names.category(named: name) else { return nil }
      shares[category] = share
    }
    let concentration = settings.concentration ?? MixBaseline.defaultConcentration
    guard let baseline = MixBaseline(shares, concentration: concentration) else { return nil }
    var policy = MixPolicy(baseline)
    if let rate = settings.falsePositiveRate { policy.falsePositiveRate = rate }
    if let distance = settings.minimumDistance { policy.minimumDistance = distance }
    self.policy = policy
  }

  struct Outcome {
    /// The contact that raised the first flag; nil for none.
    var flagged: Int?
    var contacts: Int
    var shift: MixShift?
  }

  func run(_ timeline: Timeline) -> Outcome {
    var mix = CategoryMix(policy.baseline)
    var last: [String: Double] = [:]
    var outcome = Outcome(flagged: nil, contacts: 0, shift: nil)
    let gap = Double(policy.contactGap) / 1e9
    for action in timeline.actions {
      let labels = action.host.split(separator: ".")
      let domain = labels.suffix(2).joined(separator: ".")
      defer { last[domain] = action.time }
      if let before = last[domain], action.time - before < gap { continue }
      let category = names.category(named: action.category) ?? .unknown
      if let shift = mix.add(category, host: .domain(domain), policy: policy), outcome.flagged == nil {
        outcome.flagged = outcome.contacts + 1
        outcome.shift = shift
      }
      if policy.baseline.counts(category) { outcome.contacts += 1 }
    }
    return outcome
  }
}
