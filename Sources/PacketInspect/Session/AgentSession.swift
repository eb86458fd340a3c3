/// One agent session: who it is and what it has done so far.
public struct AgentSession: Sendable {
  /// Its id, as configured or registered, or `unattributed-ADDRESS`.
  public let id: String
  /// Its agent type's name.
  public var agentType: String
  /// What its identity rests on.
  public internal(set) var attribution: Attribution
  /// First packet.
  public let started: Timestamp
  /// Latest new flow or contact.
  public var lastSeen: Timestamp
  /// When it ended; nil while it lives.
  public internal(set) var ended: Timestamp?
  /// Its destinations against its budget.
  public var budget = DestinationBudget()
  /// Bytes sent against its upload budget.
  public var uploads = UploadBudget()
  /// The policy of its type with its extension, looked up once an epoch.
  public internal(set) var budgetPolicy: BudgetPolicy?
  /// The upload policy of its type.
  public internal(set) var uploadPolicy: UploadBudgetPolicy?
  /// Budgets of its own, given at its registration.
  public internal(set) var ownBudget: BudgetOverride?
  /// Reviewers' decisions that concern it; nil when there are none. Looked up once an epoch.
  public internal(set) var overlays: SessionOverlays?
  /// How its flows add up over time.
  var traffic = SessionTraffic()
  /// From where on the shape of its traffic is flagged.
  public internal(set) var shapePolicy = ShapePolicy()
  /// Names by registrable domain, for what tunnels through them.
  var names = NameActivity()
  /// When shapes were flagged last, by kind and destination.
  var shapeFlags = FlagIntervals()
  /// Destinations by which its budget was extended.
  public internal(set) var extendedBy = 0
  /// Its contacts by category; nil before the first, and where its type's mix is not watched.
  public internal(set) var mix: CategoryMix?
  /// How its type's mix is watched.
  public internal(set) var mixPolicy: MixPolicy?
  /// Its mix as it was written last, or came from the store; empty for none.
  private var mixBytes: [UInt8] = []
  /// True while `mixBytes` is the present mix.
  var isMixStored = true
  /// What is known of where it has its names from.
  var visibility = NameVisibility()
  /// What was counted.
  public var figures = SessionFigures()
  /// Contacts by category number; as long as the highest one that was met.
  public private(set) var contactsByCategory: [UInt64] = []
  /// Those of them that its mix counts, since the session began, whatever shifts it has had.
  private(set) var contactsInMix: [UInt64] = []
  /// What its type says of the categories, of `categoryType` under the policy of `categoryEpoch`.
  var categoryActions = CategoryActions()
  /// The epoch of `categoryActions`.
  var categoryEpoch: UInt32 = 0
  /// The agent type of `categoryActions`.
  var categoryType = ""
  /// Flows of its own in the table now.
  var liveFlows = 0
  /// True when a flow was forgotten that its later packets do not explain.
  var hasLosses = false
  /// The epoch of the policies.
  var epoch: UInt32 = 0
  /// A number that no other session of the table has had.
  var serial: UInt64 = 0
  /// True when its place in the table is free for another.
  var isFree = false
  /// True when the session stands in the table's list of what is not stored.
  var isListedUnsaved = false
  /// True when the session itself, beside its destinations, changed since it was stored.
  var isUnsaved = true
  /// Deny-list entries that were flagged, by hash: a retry loop is one flag. Beyond the cap no more are raised.
  private var flaggedEntries: [UInt32] = []

  /// Deny-list entries that are remembered as flagged: 1 kB where a session hits so many. Looked through only when
  /// something is refused or flagged.
  static let maximumFlaggedEntries = 256

  init(id: String, agentType: String, attribution: Attribution, started: Timestamp) {
    self.id = id
    self.agentType = agentType
    self.attribution = attribution
    self.started = started
    lastSeen = started
  }

  /// A session as it was stored.
  init(_ stored: StoredSession) {
    let state = stored.state
    self.init(id: state.id, agentType: state.agentType, attribution: state.attribution, started: state.started)
    lastSeen = state.lastSeen
    extendedBy = state.extendedBy
    ownBudget = state.budget
    figures = state.figures
    budget = DestinationBudget(stored)
    uploads = UploadBudget(total: state.figures.bytesOut)
    mixBytes = state.mix
    isUnsaved = false
  }

  /// Adds what was stored of the session before it was taken up.
  mutating func add(_ stored: StoredSession) {
    budget.add(stored)
    extendedBy += stored.state.extendedBy
    ownBudget = ownBudget ?? stored.state.budget
    if !stored.state.mix.isEmpty {
      // What was counted since the start is little beside it, and two pasts of evidence cannot be joined.
      mix = nil
      mixBytes = stored.state.mix
      isMixStored = true
    }
    figures.flows &+= stored.state.figures.flows
    figures.bytesOut &+= stored.state.figures.bytesOut
    figures.bytesIn &+= stored.state.figures.bytesIn
    figures.refused &+= stored.state.figures.refused
    figures.flags &+= stored.state.figures.flags
    // The ceiling is looked up again, without arming the flags.
    epoch = 0
  }

  /// True while the mix holds what the session has not contacted.
  var isHeldByMix: Bool {
    guard let mixPolicy, mixPolicy.onShift != .flag else { return false }
    return mix?.isHeld == true
  }

  /// Takes a stored mix up, as soon as it is known against which baseline. Without a baseline it stays as it is.
  mutating func takeUpMix(_ names: CategoryNames) {
    guard mix == nil, !mixBytes.isEmpty, let mixPolicy else { return }
    mix = CategoryMix(bytes: mixBytes, baseline: mixPolicy.baseline, names: names)
    contactsInMix = []
    for (category, count) in mix?.counts ?? [:] {
      Self.count(category, UInt64(max(0, count)), in: &contactsInMix)
    }
  }

  /// Writes the mix as bytes, where it changed since the last time.
  mutating func writeMix(_ names: CategoryNames) {
    guard !isMixStored, let mix else { return }
    mixBytes = mix.bytes(names: names)
    isMixStored = true
  }

  /// The mix as operators see it; nil where it is not watched.
  func mixOverview(_ names: CategoryNames) -> MixOverview? {
    guard let mixPolicy else { return nil }
    return MixOverview(mix ?? CategoryMix(mixPolicy.baseline), mixPolicy, names)
  }

  /// True the first time an entry is hit.
  mutating func isFirstDenyHit(_ match: DenyMatch) -> Bool {
    isFirstFlag {
      $0.combine(match.list)
      if let overlay = match.overlay { $0.combine(overlay.id) } else { $0.combine(match.entry) }
    }
  }

  /// True the first time something is flagged that repeats; `identify` says what it is.
  mutating func isFirstFlag(_ identify: (inout Hasher) -> Void) -> Bool {
    var hasher = Hasher()
    identify(&hasher)
    let hash = UInt32(truncatingIfNeeded: hasher.finalize())
    guard flaggedEntries.count < Self.maximumFlaggedEntries, !flaggedEntries.contains(hash) else { return false }
    flaggedEntries.append(hash)
    return true
  }

  /// Time after which a contact with the same destination counts in its mix again; nil where that is not watched.
  var mixGap: Int64? { mixPolicy?.contactGap }

  /// Counts a contact that was admitted.
  mutating func countContact(_ category: Category) { Self.count(category, in: &contactsByCategory) }

  /// Counts one of these that its mix counts, too.
  mutating func countInMix(_ category: Category) { Self.count(category, in: &contactsInMix) }

  private static func count(_ category: Category, _ contacts: UInt64 = 1, in counts: inout [UInt64]) {
    let place = Int(category.rawValue)
    if counts.count <= place { counts += [UInt64](repeating: 0, count: place + 1 - counts.count) }
    counts[place] &+= contacts
  }

  /// Contacts and destinations by category, those that were met, by category number. A destination counts for the
  /// category of its latest contact.
  public func categoryFigures(_ names: CategoryNames) -> [CategoryFigures] {
    var destinations = [UInt64](repeating: 0, count: CategoryNames.maximumCount)
    for record in budget.destinations.values { destinations[Int(record.category.rawValue & 63)] &+= 1 }
    return (0..<CategoryNames.maximumCount).compactMap { number in
      let contacts = number < contactsByCategory.count ? contactsByCategory[number] : 0
      guard contacts > 0 || destinations[number] > 0 else { return nil }
      return CategoryFigures(
        name: names[Category(rawValue: UInt8(number))], contacts: contacts, destinations: destinations[number])
    }
  }

  /// The session without its destinations, as it is stored.
  var state: SessionState {
    SessionState(
      id: id, agentType: agentType, attribution: attribution, started: started, lastSeen: lastSeen, ended: ended,
      warned: budget.warned, reached: budget.reached, overflow: budget.overflow, extendedBy: extendedBy,
      figures: figures, budget: ownBudget, mix: mixBytes)
  }

  /// The session as operators see it.
  public var overview: SessionOverview {
    SessionOverview(
      id: id, agentType: agentType, attribution: attribution, started: started, lastSeen: lastSeen, ended: ended,
      destinations: budget.used, ceiling: budgetPolicy?.destinations, onReach: budgetPolicy?.onReach,
      extendedBy: extendedBy, figures: figures)
  }
}
