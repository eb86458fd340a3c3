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
  /// The category at the latest contact. Not stored: a restart takes it from the key.
  public var category = Category.unknown
  /// Every category that it was contacted under: one registrable domain may have names of several.
  public var categories: CategorySet = []

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
  /// Why it was not admitted, if it was not.
  public var refusal = Reason.budgetHeld
  /// The contact before this one; nil for the first.
  public var previous: Timestamp?
  /// What this contact completed, if it is one of many at regular intervals.
  var beacon: BeaconFinding?
}

/// The distinct destinations of one session, against a ceiling that flags or holds.
public struct DestinationBudget: Sendable {
  /// The rolling window of `BudgetWindow.day`, in nanoseconds.
  public static let day: Int64 = 86_400 * 1_000_000_000
  /// Time between two looks for destinations that fell out of the window, in nanoseconds.
  private static let pruneInterval: Int64 = 60 * 1_000_000_000

  private var entries = DestinationSet()
  /// Destinations beyond the limit: counted, not remembered.
  public private(set) var overflow: UInt64 = 0
  /// True when the warning was raised.
  public private(set) var warned = false
  /// True when the ceiling was reached and flagged.
  public private(set) var reached = false
  private var unsavedCount = 0
  private var withdrawn: [DestinationKey] = []
  private var lastPrune: Timestamp?

  /// No destination yet.
  public init() {}

  /// A budget as it was stored.
  init(_ stored: StoredSession) {
    for (key, record) in stored.destinations {
      entries.insert(key, record, isUnsaved: false)
    }
    overflow = stored.state.overflow
    warned = stored.state.warned
    reached = stored.state.reached
  }

  /// Adds what was stored earlier to what was counted since; the sum is to be stored.
  mutating func add(_ stored: StoredSession) {
    for (key, old) in stored.destinations {
      guard let place = entries.place(of: key) else {
        entries.insert(key, old, isUnsaved: true)
        unsavedCount += 1
        continue
      }
      entries[place].firstSeen = min(entries[place].firstSeen, old.firstSeen)
      entries[place].lastSeen = max(entries[place].lastSeen, old.lastSeen)
      entries[place].contacts &+= old.contacts
      noteUnsaved(place)
    }
    overflow &+= stored.state.overflow
    warned = warned || stored.state.warned
    reached = reached || stored.state.reached
  }

  /// Distinct destinations so far; with a window of a day, of the last day as of the latest look.
  public var used: Int { entries.count }

  /// The destinations.
  public var destinations: [DestinationKey: DestinationRecord] {
    Dictionary((0..<entries.count).map { (entries.key(at: $0), entries[$0].record) }) { first, _ in first }
  }

  var keysAndEvidence: some Sequence<(key: DestinationKey, evidence: Evidence)> {
    (0..<entries.count).lazy.map { [entries] in (entries.key(at: $0), entries[$0].evidence) }
  }

  /// True when the destination is one of the session's.
  public func contains(_ key: DestinationKey) -> Bool { entries.place(of: key) != nil }

  /// True when the session has contacted the destination under this category.
  public func contains(_ key: DestinationKey, in category: Category) -> Bool {
    entries.place(of: key).map { entries[$0].categories.contains(CategorySet(category)) } ?? false
  }

  /// Says again what categories the destinations have: after a restart, which has only their keys.
  mutating func categorize(_ category: (DestinationKey) -> Category) {
    for place in 0..<entries.count where entries[place].categories.isEmpty {
      let found = category(entries.key(at: place))
      entries[place].category = found
      entries[place].categories = CategorySet(found)
    }
  }

  /// True when something is not stored yet.
  var hasUnsaved: Bool { unsavedCount > 0 || !withdrawn.isEmpty }

  /// Takes one contact into account.
  ///
  /// `limit` caps what one session can make the daemon remember (`limits.namesPerSession`); in `hold` what lies
  /// beyond it is refused like anything beyond the ceiling.
  public mutating func contact(
    _ key: DestinationKey, evidence: Evidence, category: Category = .unknown, policy: BudgetPolicy?, limit: Int,
    at now: Timestamp
  ) -> BudgetOutcome {
    if policy?.window == .day { prune(at: now) }
    if let place = entries.place(of: key) {
      let previous = entries[place].lastSeen
      entries[place].lastSeen = max(previous, now)
      entries[place].contacts &+= 1
      entries[place].category = category
      entries[place].categories.formUnion(CategorySet(category))
      noteUnsaved(place)
      return BudgetOutcome(
        admitted: true, isNew: false, raisesWarning: false, raisesReached: false, previous: previous)
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
    var record = DestinationRecord(firstSeen: now, lastSeen: now, contacts: 1, evidence: evidence)
    record.category = category
    record.categories = CategorySet(category)
    entries.insert(key, record, isUnsaved: true)
    unsavedCount += 1
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
    guard let place = entries.place(of: key), entries[place].contacts <= 1 else { return }
    remove { $0 == place }
  }

  private mutating func noteUnsaved(_ place: Int) {
    guard !entries[place].isUnsaved else { return }
    entries[place].isUnsaved = true
    unsavedCount += 1
  }

  private mutating func remove(where isGone: (Int) -> Bool) {
    for place in 0..<entries.count where isGone(place) {
      withdrawn.append(entries.key(at: place))
      if entries[place].isUnsaved { unsavedCount -= 1 }
    }
    entries.removeAll(where: isGone)
  }

  /// Arms both flags again: the ceiling moved.
  public mutating func rearm() {
    warned = false
    reached = false
  }

  /// Gives out what is not stored yet, at most `limit` destinations of it.
  mutating func takeUnsaved(limit: Int, _ body: (DestinationKey, DestinationRecord?) -> Void) {
    for key in withdrawn where entries.place(of: key) == nil { body(key, nil) }
    withdrawn.removeAll()
    var left = limit
    for place in 0..<entries.count where unsavedCount > 0 && left > 0 && entries[place].isUnsaved {
      entries[place].isUnsaved = false
      unsavedCount -= 1
      left -= 1
      body(entries.key(at: place), entries[place].record)
    }
  }

  /// Marks everything as not stored.
  mutating func markUnsaved() {
    for place in 0..<entries.count { noteUnsaved(place) }
  }

  /// Forgets what was not contacted for a day.
  private mutating func prune(at now: Timestamp) {
    if let last = lastPrune, now.since(last) < Self.pruneInterval { return }
    lastPrune = now
    let before = entries.count
    let present = entries
    remove { now.since(present[$0].lastSeen) > Self.day }
    // Room again: reaching the ceiling once more is news.
    if entries.count < before { rearm() }
  }
}
