/// A session's mix of categories beside what its type's baseline says.
public struct MixOverview: Sendable, Hashable {
  /// One category.
  public struct Row: Sendable, Hashable {
    /// The category's name.
    public var category: String
    /// The session's contacts.
    public var contacts: Int
    /// Their share of its contacts, 0...1; 0 when there are none.
    public var share: Double
    /// Its share in the baseline, 0...1; nil when the baseline does not list it.
    public var baseline: Double?
    /// True when it rose in a shift that no reviewer has released.
    public var hasRisen: Bool

    /// A row.
    public init(category: String, contacts: Int, share: Double, baseline: Double?, hasRisen: Bool = false) {
      self.category = category
      self.contacts = contacts
      self.share = share
      self.baseline = baseline
      self.hasRisen = hasRisen
    }
  }

  /// Contacts counted since the session began, or since the change of its last shift.
  public var contacts: Int
  /// Shifts flagged since a reviewer last acted.
  public var flags: Int
  /// What a shift does.
  public var onShift: MixReach
  /// True while a shift holds what the session has not contacted.
  public var isHeld: Bool
  /// What the baseline rests on; nil for one as it was configured.
  public var learned: LearnedMix?
  /// The categories that were contacted or that the baseline lists, most contacts first.
  public var rows: [Row]

  /// An overview.
  public init(
    contacts: Int, flags: Int, onShift: MixReach, isHeld: Bool, learned: LearnedMix? = nil, rows: [Row]
  ) {
    self.contacts = contacts
    self.flags = flags
    self.onShift = onShift
    self.isHeld = isHeld
    self.learned = learned
    self.rows = rows
  }

  init(_ mix: CategoryMix, _ policy: MixPolicy, _ names: CategoryNames) {
    let counts = mix.counts
    let shares = policy.baseline.shares
    let total = counts.values.reduce(0, +)
    let categories = Set(counts.keys).union(shares.keys).sorted {
      (counts[$0] ?? 0, shares[$0] ?? 0, $1.rawValue) > (counts[$1] ?? 0, shares[$1] ?? 0, $0.rawValue)
    }
    self.init(
      contacts: total, flags: Int(mix.flags), onShift: policy.onShift,
      isHeld: mix.isHeld && policy.onShift != .flag, learned: policy.learned,
      rows: categories.map { category in
        let contacts = counts[category] ?? 0
        return Row(
          category: names[category], contacts: contacts,
          share: total > 0 ? Double(contacts) / Double(total) : 0, baseline: shares[category],
          hasRisen: mix.risen.contains(CategorySet(category)))
      })
  }
}
