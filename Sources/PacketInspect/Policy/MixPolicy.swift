/// What a shift of a session's mix does beside the flag.
public enum MixReach: String, Sendable, CaseIterable {
  /// The session is flagged for review and goes on.
  case flag
  /// Besides, destinations not yet contacted are rejected until a reviewer acts.
  case hold
  /// Besides, all that has a category which rose is rejected, known or not.
  case reject
}

/// How an agent type's mix of categories is watched (docs/detection.md).
public struct MixPolicy: Hashable, Sendable {
  /// What is expected.
  public var baseline: MixBaseline
  /// What the baseline rests on where it was learned; nil for one as it was configured.
  public private(set) var learned: LearnedMix?
  /// A destination counts again when it was not contacted for so long, in nanoseconds: a burst is one piece of evidence.
  public var contactGap: Int64 = 60_000_000_000
  /// Contacts of a session before which nothing is flagged.
  public var minimumContacts = 30
  /// Total variation distance since the most likely change below which nothing is flagged, 0...1.
  public var minimumDistance = 0.15
  /// Bound on the share of sessions flagged although they are as the test expects sessions to be.
  public var falsePositiveRate = 0.01
  /// What a shift does.
  public var onShift: MixReach = .flag

  /// A policy with the defaults.
  public init(_ baseline: MixBaseline) { self.baseline = baseline }

  /// Puts what is learned from reviewed sessions' contacts in the place of the baseline, which is the prior. Without a
  /// session that can be used nothing changes. What other contacts bring along, and places where anybody can leave
  /// data, are learned only where the baseline lists them: one benign visit must not make them ordinary for all
  /// sessions of the type.
  public mutating func learn(from sessions: [[Category: Int]], names: CategoryNames) {
    let prior = baseline
    let usable = sessions.map { session in
      session.filter { [.ordinary, .unknown].contains(prior.group(of: $0.key)) }
    }
    let learned = MixBaseline.learned(from: usable, prior: prior)
    guard learned.sessions > 0,
      let baseline = MixBaseline(learned.shares, concentration: learned.concentration, names: names)
    else { return }
    self.baseline = baseline
    self.learned = learned
  }
}
