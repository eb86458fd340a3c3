/// Whether verdicts act.
public enum Mode: String, Sendable, CaseIterable {
  /// Everything is accepted; events carry the verdict that enforcement would give.
  case observe
  /// Verdicts act.
  case enforce
}

/// A deny-list as policy knows it.
public struct DenyList: Sendable {
  /// Its name in the configuration.
  public var name: String
  /// What a match does: reject or drop.
  public var action: Action
  /// When it was last written, if known: every verdict tells the list's age.
  public var modified: Timestamp?
  /// Its entries.
  public var entries: ListSnapshot

  /// A deny-list.
  public init(name: String, action: Action, modified: Timestamp? = nil, entries: ListSnapshot) {
    self.name = name
    self.action = action
    self.modified = modified
    self.entries = entries
  }
}

/// Everything a verdict depends on beside the session: immutable, swapped as a whole at a reload.
/// Flows remember the epoch they were decided under, so an older decision expires by itself.
public final class PolicySnapshot: Sendable {
  /// What the snapshot is made of.
  public struct Parts: Sendable {
    /// Observe or enforce.
    public var mode: Mode = .enforce
    /// Fail-open or fail-closed by condition.
    public var exceptions = ExceptionPolicy()
    /// Networks that are internal beside the special-purpose ranges.
    public var internalNetworks = NetworkTable<Bool>()
    /// Names (suffixes) that are internal.
    public var internalNames = DomainSet()
    /// Resolvers whose answers may corroborate a claimed name.
    public var trustedResolvers: Set<IPAddress> = []
    /// Addresses of resolvers that are public services, trusted or not.
    public var publicResolvers: Set<IPAddress> = []
    /// The deny-lists, in the order in which they are asked.
    public var lists: [DenyList] = []
    /// Domains that no deny-list denies.
    public var exceptedDomains = DomainSet()
    /// Networks that no deny-list denies.
    public var exceptedNetworks = NetworkTable<Bool>()
    /// Which category a name has.
    public var categories = CategoryTable()
    /// Agent types by name.
    public var agentTypes: [String: AgentType] = [:]
    /// Time without a flow or contact after which a session ends, in nanoseconds; nil for never.
    public var idleEnd: Int64?
    /// Which labels of names are written as class, length and keyed hash.
    public var redactLabels = LabelRedaction.encoded
    /// Sessions by source address.
    public var sessionSources = NetworkTable<ConfiguredSession>()
    /// Reviewers' decisions.
    public var overlays = OverlaySet()

    /// Nothing denied, nothing limited.
    public init() {}
  }

  /// The parts.
  public let parts: Parts
  /// Grows by one at every reload; never zero.
  public let epoch: UInt32

  /// A snapshot.
  public init(_ parts: Parts, epoch: UInt32) {
    self.parts = parts
    self.epoch = max(1, epoch)
  }

  /// True when traffic to `address` leaves the operator's own networks.
  public func isExternal(_ address: IPAddress) -> Bool {
    let canonical = address.canonical
    return !SpecialPurposeRanges.table.contains(canonical) && !parts.internalNetworks.contains(canonical)
  }

  /// True when `name` is not one of the operator's own.
  public func isExternal(_ name: HostName) -> Bool { parts.internalNames.match(name) == nil }

  /// The category of a name that is known to be the destination's. What only an address, or a claim that nothing
  /// corroborates, stands for is `unknown`.
  public func category(of name: HostName) -> Category { parts.categories.category(of: name) }

  /// A category's name, as events and configuration write it.
  public func name(of category: Category) -> String { parts.categories.names[category] }

  /// The policy of an agent type; a type nobody configured is treated as unattributed.
  public func agentType(_ name: String) -> AgentType {
    parts.agentTypes[name] ?? parts.agentTypes[AgentType.unattributedName]
      ?? AgentType(name: AgentType.unattributedName, budget: nil)
  }
}
