/// What a session knows of one destination.
public struct DestinationRecord: Hashable, Sendable {
  /// First contact.
  public var firstSeen: Timestamp
  /// Latest contact.
  public var lastSeen: Timestamp
  /// Number of contacts: flows, lookups and requests.
  public var contacts: UInt32
  /// What the first contact rested on.
  public var evidence: Evidence

  /// A record.
  public init(firstSeen: Timestamp, lastSeen: Timestamp, contacts: UInt32, evidence: Evidence) {
    self.firstSeen = firstSeen
    self.lastSeen = lastSeen
    self.contacts = contacts
    self.evidence = evidence
  }
}

/// The answer to one contact.
public struct BudgetOutcome: Hashable, Sendable {
  /// True when the destination is one of the session's now.
  public var admitted: Bool
  /// True when this contact made it one.
  public var isNew: Bool
  /// True when this contact reached the share at which a warning is raised, the first time.
  public var raisesWarning: Bool
  /// True when this contact reached the ceiling, the first time.
  public var raisesReached: Bool
}

/// The distinct destinations of one session, against a ceiling that flags or holds.
public struct DestinationBudget: Sendable {
  /// The destinations, by key. At most `limit`.
  public private(set) var destinations: [DestinationKey: DestinationRecord] = [:]
  /// Destinations beyond `limit`: counted, not remembered.
  public private(set) var overflow: UInt64 = 0
  private var warned = false
  private var reached = false

  /// No destination yet.
  public init() {}

  /// Distinct destinations so far.
  public var used: Int { destinations.count }

  /// Takes one contact into account.
  ///
  /// `limit` caps what one session can make the daemon remember (`limits.namesPerSession`); in `hold` what lies
  /// beyond it is refused like anything beyond the ceiling.
  public mutating func contact(
    _ key: DestinationKey, evidence: Evidence, policy: BudgetPolicy?, limit: Int, at now: Timestamp
  ) -> BudgetOutcome {
    if var known = destinations[key] {
      known.lastSeen = max(known.lastSeen, now)
      known.contacts &+= 1
      destinations[key] = known
      return BudgetOutcome(admitted: true, isNew: false, raisesWarning: false, raisesReached: false)
    }
    let holds = policy?.onReach == .hold
    if holds, let policy, destinations.count >= policy.destinations {
      // A ceiling of zero is reached by the first attempt; others when the last place was taken.
      let first = !reached
      reached = true
      return BudgetOutcome(admitted: false, isNew: true, raisesWarning: false, raisesReached: first)
    }
    guard destinations.count < limit else {
      overflow &+= 1
      return BudgetOutcome(admitted: !holds, isNew: true, raisesWarning: false, raisesReached: false)
    }
    destinations[key] = DestinationRecord(firstSeen: now, lastSeen: now, contacts: 1, evidence: evidence)
    var outcome = BudgetOutcome(admitted: true, isNew: true, raisesWarning: false, raisesReached: false)
    guard let policy else { return outcome }
    if destinations.count >= policy.destinations {
      outcome.raisesReached = !reached
      reached = true
    } else if let share = policy.warnAt, Double(destinations.count) >= share * Double(policy.destinations) {
      outcome.raisesWarning = !warned
      warned = true
    }
    return outcome
  }

  /// Takes back a destination that only one flow, nameless at the time, had put there: its name came after all.
  public mutating func withdraw(_ key: DestinationKey) {
    if let record = destinations[key], record.contacts <= 1 { destinations[key] = nil }
  }

  /// Arms both flags again: the ceiling moved.
  public mutating func rearm() {
    warned = false
    reached = false
  }
}
