/// What a reviewer decides. The raw values stand in the store, in events and on the control socket; more may follow.
public enum OverlayKind: String, Sendable, CaseIterable {
  /// Every packet of the sessions in scope is refused.
  case block
  /// A name or network that nothing denies: neither a list nor another overlay nor a category.
  case exception
  /// A name or network that is denied.
  case deny
  /// Other budgets.
  case budget
}

/// Whom an overlay concerns.
public enum OverlayScope: Sendable, Hashable {
  /// The session of this id: the one that lives, and any that comes back under it.
  case session(String)
  /// All sessions of an agent type.
  case agentType(String)
  /// All sessions.
  case all
}

/// Budgets in the place of those of an agent type. What is nil stays as it was.
public struct BudgetOverride: Sendable, Hashable {
  /// The ceiling on distinct external destinations.
  public var destinations: Int?
  /// The ceiling on bytes sent to external destinations.
  public var uploadBytes: UInt64?
  /// Over what time the ceilings given here count.
  public var window: BudgetWindow?
  /// What reaching a ceiling given here does.
  public var onReach: BudgetReach?

  /// An override.
  public init(
    destinations: Int? = nil, uploadBytes: UInt64? = nil, window: BudgetWindow? = nil, onReach: BudgetReach? = nil
  ) {
    self.destinations = destinations
    self.uploadBytes = uploadBytes
    self.window = window
    self.onReach = onReach
  }

  /// True when no ceiling is given: window and reach alone mean nothing.
  public var isEmpty: Bool { destinations == nil && uploadBytes == nil }

  /// Puts what is given here in the place of what is there.
  func apply(to budget: inout BudgetPolicy?) {
    guard let destinations else { return }
    var fresh = budget ?? BudgetPolicy(destinations: destinations)
    fresh.destinations = destinations
    apply(&fresh.window, &fresh.onReach)
    budget = fresh
  }

  /// Puts what is given here in the place of what is there.
  func apply(to budget: inout UploadBudgetPolicy?) {
    guard let uploadBytes else { return }
    var fresh = budget ?? UploadBudgetPolicy(bytes: uploadBytes)
    fresh.bytes = uploadBytes
    apply(&fresh.window, &fresh.onReach)
    budget = fresh
  }

  private func apply(_ window: inout BudgetWindow, _ onReach: inout BudgetReach) {
    window = self.window ?? window
    onReach = self.onReach ?? onReach
  }
}

/// One decision of a reviewer, laid over the file's policy (design, section 5).
public struct Overlay: Sendable, Hashable {
  /// Its number: no other overlay of this store has had it.
  public var id: UInt64
  /// What is decided.
  public var kind: OverlayKind
  /// The name or network that an exception or denial is about, in canonical form; empty for the other kinds.
  public var subject: String
  /// The ceilings of a budget.
  public var budget: BudgetOverride?
  /// Whom it concerns.
  public var scope: OverlayScope
  /// Who decided it, as they say.
  public var who: String
  /// Who asked for it, as the system says.
  public var peer: String
  /// Why.
  public var why: String
  /// When.
  public var made: Timestamp
  /// When it ends by itself; nil for never.
  public var expires: Timestamp?

  /// An overlay.
  public init(
    id: UInt64, kind: OverlayKind, subject: String = "", budget: BudgetOverride? = nil, scope: OverlayScope,
    who: String = "", peer: String = "", why: String = "", made: Timestamp, expires: Timestamp? = nil
  ) {
    self.id = id
    self.kind = kind
    self.subject = subject
    self.budget = budget
    self.scope = scope
    self.who = who
    self.peer = peer
    self.why = why
    self.made = made
    self.expires = expires
  }

  /// True when its time is over.
  public func isOver(at now: Timestamp) -> Bool { expires.map { $0 <= now } ?? false }
}
