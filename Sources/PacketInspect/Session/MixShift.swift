/// A category's part in a shift.
public struct MixMove: Sendable, Hashable {
  /// The category.
  public var category: Category
  /// Its expected share of contacts.
  public var from: Double
  /// Its share since the change.
  public var to: Double
  /// For one that rose: registrable domains or addresses contacted in it since, most often first.
  public var hosts: [DestinationKey] = []
}

/// A session's mix has left what its type and its own past let expect.
public struct MixShift: Sendable, Hashable {
  /// A share that moved less is not told of.
  static let leastMove = 0.03
  /// Categories told of.
  static let maximumMoves = 6

  /// Contacts since the most likely change.
  public var contacts: Int
  /// Total variation distance between expected and actual shares since then, 0...1.
  public var distance: Double
  /// The e-value: such a session comes at most once in so many (Ville's inequality).
  public var evidence: Double
  /// What moved, most first.
  public var moves: [MixMove]

  /// For a reviewer: what rose and fell, over how many contacts, who moved it, how surprising it is.
  /// With `reach` flag, or where nothing is enforced, the session goes on.
  public func summary(agentType: String, names: CategoryNames, reach: MixReach) -> String {
    let rose = moves.filter { $0.to > $0.from }
    let fell = moves.filter { $0.to < $0.from }
    var text = "Over its last \(contacts) contacts this session's mix changed"
    if !rose.isEmpty { text += ": " + Self.join(rose.map { "\(names[$0.category]) rose \(Self.span($0))" }) }
    if !fell.isEmpty {
      text += (rose.isEmpty ? ": " : ", while ") + Self.join(fell.map { "\(names[$0.category]) fell \(Self.span($0))" })
    }
    text += "."
    if let hosts = rose.first?.hosts, !hosts.isEmpty { text += " Moved most by \(Self.join(hosts.map(\.text)))." }
    text += " By chance, fewer than one in \(Self.rarity(evidence)) sessions of type \(agentType) would do this."
    switch reach {
    case .flag: text += " The session goes on."
    case .hold: text += " Destinations not yet contacted are held."
    case .reject:
      text += " Destinations not yet contacted are held"
      text += rose.isEmpty ? "." : ", and \(Self.join(rose.map { names[$0.category] })) is rejected."
    }
    return text
  }

  /// The categories that rose.
  var risen: CategorySet {
    moves.reduce(into: []) { if $1.to > $1.from { $0.insert(CategorySet($1.category)) } }
  }

  /// The same in figures and names.
  func figures(names: CategoryNames) -> [FlagEvidence] {
    var figures = [
      FlagEvidence("contacts", contacts), FlagEvidence("distance_percent", Self.percent(distance)),
      FlagEvidence("e_value", Int(min(evidence, 1e12))),
    ]
    for move in moves {
      let name = names[move.category]
      figures.append(FlagEvidence("\(name)_from_percent", Self.percent(move.from)))
      figures.append(FlagEvidence("\(name)_to_percent", Self.percent(move.to)))
      if !move.hosts.isEmpty {
        figures.append(FlagEvidence("\(name)_hosts", move.hosts.map(\.text).joined(separator: " ")))
      }
    }
    return figures
  }

  private static func percent(_ share: Double) -> Int { Int((min(1, max(0, share)) * 100).rounded()) }

  private static func span(_ move: MixMove) -> String { "from \(percent(move.from)) % to \(percent(move.to)) %" }

  private static func rarity(_ evidence: Double) -> String {
    evidence >= 1e6 ? "a million" : "\(Int(max(1, evidence)))"
  }

  private static func join(_ parts: [String]) -> String {
    parts.count < 2 ? parts.first ?? "" : parts.dropLast().joined(separator: ", ") + " and " + parts[parts.count - 1]
  }
}
