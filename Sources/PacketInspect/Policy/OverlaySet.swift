/// The overlays of one scope, looked up by what they are about.
struct OverlayLayer: Sendable {
  private(set) var block: Overlay?
  private(set) var budget: BudgetOverride?
  private var denied: Subjects?
  private var excepted: Subjects?

  /// Names and networks, and the overlay of each. A set takes room, so there is none where there is nothing in it.
  private struct Subjects: Sendable {
    private var names: DomainSet?
    private var networks: [IPNetwork: Int] = [:]
    /// Prefix lengths in use, longest first.
    private var lengths: [Int] = []
    private var overlays: [Overlay] = []

    mutating func insert(_ overlay: Overlay, seed: UInt64) {
      if let network = IPNetwork(overlay.subject) {
        guard networks[network] == nil else { return }
        networks[network] = overlays.count
        if !lengths.contains(network.prefixLength) {
          lengths = (lengths + [network.prefixLength]).sorted(by: >)
        }
      } else if let name = HostName(overlay.subject) {
        names = names ?? DomainSet(seed: seed)
        names?.insert(name, at: ListPosition(list: overlays.count, line: 0))
      } else {
        return
      }
      overlays.append(overlay)
    }

    func match(_ name: HostName) -> Overlay? { names?.match(name).map { overlays[$0.list] } }

    func match(_ address: IPAddress) -> Overlay? {
      for length in lengths {
        if let network = IPNetwork(address, prefixLength: length), let place = networks[network] {
          return overlays[place]
        }
      }
      return nil
    }
  }

  /// Adds an overlay. Of two on the same thing the first stays.
  mutating func insert(_ overlay: Overlay, seed: UInt64) {
    switch overlay.kind {
    case .block: block = block ?? overlay
    case .budget: budget = budget ?? overlay.budget
    case .deny:
      denied = denied ?? Subjects()
      denied?.insert(overlay, seed: seed)
    case .exception:
      excepted = excepted ?? Subjects()
      excepted?.insert(overlay, seed: seed)
    }
  }

  func denial(of name: HostName) -> Overlay? { denied?.match(name) }
  func denial(of address: IPAddress) -> Overlay? { denied?.match(address) }
  func excepts(_ name: HostName) -> Bool { excepted?.match(name) != nil }
  func excepts(_ address: IPAddress) -> Bool { excepted?.match(address) != nil }
  var hasExceptions: Bool { excepted != nil }
}

/// The overlays that concern one session: its own first, then its type's, then everybody's.
public final class SessionOverlays: Sendable {
  private let layers: [OverlayLayer]
  /// The overlay that blocks the session.
  public let block: Overlay?
  /// True when something is excepted.
  let hasExceptions: Bool

  fileprivate init(_ layers: [OverlayLayer]) {
    self.layers = layers
    block = layers.lazy.compactMap(\.block).first
    hasExceptions = layers.contains { $0.hasExceptions }
  }

  func denial(of name: HostName) -> Overlay? {
    for layer in layers { if let found = layer.denial(of: name) { return found } }
    return nil
  }

  func denial(of address: IPAddress) -> Overlay? {
    for layer in layers { if let found = layer.denial(of: address) { return found } }
    return nil
  }

  func excepts(_ name: HostName) -> Bool { hasExceptions && layers.contains { $0.excepts(name) } }
  func excepts(_ address: IPAddress) -> Bool { hasExceptions && layers.contains { $0.excepts(address) } }
}

/// All overlays that are in force, by whom they concern. Immutable; a part of the policy.
public struct OverlaySet: Sendable {
  /// Overlays at one time: reviewers write them one by one, so that many are a mistake, and each takes some hundred
  /// bytes twice over.
  public static let maximumCount = 100_000

  private var sessions: [String: OverlayLayer] = [:]
  private var types: [String: OverlayLayer] = [:]
  private var all: OverlayLayer?
  private var sharedByType: [String: SessionOverlays] = [:]
  private(set) var sharedByAll: SessionOverlays?

  /// No overlay.
  public init() {}

  /// The overlays of `overlays` that are in force at `now`; the latest ones count. `seed` keys the name tables.
  public init(_ overlays: some Sequence<Overlay>, at now: Timestamp, seed: UInt64 = 0x9e37_79b9_7f4a_7c15) {
    for overlay in overlays.sorted(by: { $0.id > $1.id }) where !overlay.isOver(at: now) {
      switch overlay.scope {
      case .session(let id): sessions[id, default: OverlayLayer()].insert(overlay, seed: seed)
      case .agentType(let name): types[name, default: OverlayLayer()].insert(overlay, seed: seed)
      case .all:
        all = all ?? OverlayLayer()
        all?.insert(overlay, seed: seed)
      }
    }
    sharedByAll = all.map { SessionOverlays([$0]) }
    sharedByType = types.mapValues { type in SessionOverlays([type] + (all.map { [$0] } ?? [])) }
  }

  /// What concerns a session; nil when nothing does.
  func of(session: String, agentType: String) -> SessionOverlays? {
    guard let own = sessions[session] else { return sharedByType[agentType] ?? sharedByAll }
    return SessionOverlays([own, types[agentType], all].compactMap { $0 })
  }

  /// A session's budgets: those of its type, then what is laid over them, from everybody's to its own. `own` is what
  /// it was registered with, which is nearer to it than what concerns its whole type.
  func budgets(
    session: String, agentType: AgentType, own: BudgetOverride?
  ) -> (destinations: BudgetPolicy?, uploads: UploadBudgetPolicy?) {
    var destinations = agentType.budget
    var uploads = agentType.uploadBudget
    for override in [all?.budget, types[agentType.name]?.budget, own, sessions[session]?.budget] {
      override?.apply(to: &destinations)
      override?.apply(to: &uploads)
    }
    return (destinations, uploads)
  }
}
