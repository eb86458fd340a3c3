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
  /// The rolling window of `BudgetWindow.day`, in nanoseconds.
  public static let day: Int64 = 86_400 * 1_000_000_000
  /// Time between two looks for destinations that fell out of the window, in nanoseconds.
  private static let pruneInterval: Int64 = 60 * 1_000_000_000

  private struct Entry: Sendable {
    var record: DestinationRecord
    var isUnsaved: Bool
  }

  private var entries: [DestinationKey: Entry] = [:]
  /// Destinations beyond the limit: counted, not remembered.
  public private(set) var overflow: UInt64 = 0
  /// True when the warning was raised.
  public private(set) var warned = false
  /// True when the ceiling was reached and flagged.
  public private(set) var reached = false
  private var unsaved: [DestinationKey] = []
  private var withdrawn: [DestinationKey] = []
  private var lastPrune: Timestamp?

  /// No destination yet.
  public init() {}

  /// A budget as it was stored.
  init(_ stored: StoredSession) {
    entries = stored.destinations.mapValues { Entry(record: $0, isUnsaved: false) }
    overflow = stored.state.overflow
    warned = stored.state.warned
    reached = stored.state.reached
  }

  /// Adds what was stored earlier to what was counted since; the sum is to be stored.
  mutating func add(_ stored: StoredSession) {
    for (key, old) in stored.destinations {
      var entry = entries[key] ?? Entry(record: old, isUnsaved: false)
      if entries[key] != nil {
        entry.record.firstSeen = min(entry.record.firstSeen, old.firstSeen)
        entry.record.lastSeen = max(entry.record.lastSeen, old.lastSeen)
        entry.record.contacts &+= old.contacts
      }
      if !entry.isUnsaved {
        entry.isUnsaved = true
        unsaved.append(key)
      }
      entries[key] = entry
    }
    overflow &+= stored.state.overflow
    warned = warned || stored.state.warned
    reached = reached || stored.state.reached
  }

  /// Distinct destinations so far; with a window of a day, of the last day as of the latest look.
  public var used: Int { entries.count }

  /// The destinations.
  public var destinations: [DestinationKey: DestinationRecord] { entries.mapValues(\.record) }

  /// True when the destination is one of the session's.
  public func contains(_ key: DestinationKey) -> Bool { entries[key] != nil }

  /// True when something is not stored yet.
  var hasUnsaved: Bool { !unsaved.isEmpty || !withdrawn.isEmpty }

  /// Takes one contact into account.
  ///
  /// `limit` caps what one session can make the daemon remember (`limits.namesPerSession`); in `hold` what lies
  /// beyond it is refused like anything beyond the ceiling.
  public mutating func contact(
    _ key: DestinationKey, evidence: Evidence, policy: BudgetPolicy?, limit: Int, at now: Timestamp
  ) -> BudgetOutcome {
    if policy?.window == .day { prune(at: now) }
    if var known = entries[key] {
      known.record.lastSeen = max(known.record.lastSeen, now)
      known.record.contacts &+= 1
      if !known.isUnsaved {
        known.isUnsaved = true
        unsaved.append(key)
      }
      entries[key] = known
      return BudgetOutcome(admitted: true, isNew: false, raisesWarning: false, raisesReached: false)
    }
    let holds = policy?.onReach == .hold
    if holds, let policy, entries.count >= policy.destinations {
      // A ceiling of zero is reached by the first attempt; others when the last place was taken.
      let first = !reached
      reached = true
      return BudgetOutcome(admitted: false, isNew: true, raisesWarning: false, raisesReached: first)
    }
    guard entries.count < limit else {
      overflow &+= 1
      return BudgetOutcome(admitted: !holds, isNew: true, raisesWarning: false, raisesReached: false)
    }
    let record = DestinationRecord(firstSeen: now, lastSeen: now, contacts: 1, evidence: evidence)
    entries[key] = Entry(record: record, isUnsaved: true)
    unsaved.append(key)
    var outcome = BudgetOutcome(admitted: true, isNew: true, raisesWarning: false, raisesReached: false)
    guard let policy else { return outcome }
    if entries.count >= policy.destinations {
      outcome.raisesReached = !reached
      reached = true
    } else if let share = policy.warnAt, Double(entries.count) >= share * Double(policy.destinations) {
      outcome.raisesWarning = !warned
      warned = true
    }
    return outcome
  }

  /// Takes back a destination that only one flow, nameless at the time, had put there: its name came after all.
  public mutating func withdraw(_ key: DestinationKey) {
    guard let entry = entries[key], entry.record.contacts <= 1 else { return }
    entries[key] = nil
    withdrawn.append(key)
  }

  /// Arms both flags again: the ceiling moved.
  public mutating func rearm() {
    warned = false
    reached = false
  }

  /// Gives out what is not stored yet, at most `limit` destinations of it.
  mutating func takeUnsaved(limit: Int, _ body: (DestinationKey, DestinationRecord?) -> Void) {
    for key in withdrawn where entries[key] == nil { body(key, nil) }
    withdrawn.removeAll()
    for key in unsaved.suffix(limit) {
      guard var entry = entries[key] else { continue }
      entry.isUnsaved = false
      entries[key] = entry
      body(key, entry.record)
    }
    unsaved.removeLast(min(limit, unsaved.count))
  }

  /// Marks everything as not stored.
  mutating func markUnsaved() {
    unsaved = Array(entries.keys)
    for key in unsaved { entries[key]?.isUnsaved = true }
  }

  /// Forgets what was not contacted for a day.
  private mutating func prune(at now: Timestamp) {
    if let last = lastPrune, now.since(last) < Self.pruneInterval { return }
    lastPrune = now
    let before = entries.count
    for (key, entry) in entries where now.since(entry.record.lastSeen) > Self.day {
      entries[key] = nil
      withdrawn.append(key)
    }
    // Room again: reaching the ceiling once more is news.
    if entries.count < before { rearm() }
  }
}
