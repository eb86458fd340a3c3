/// How a type of agent divides its contacts over categories, made ready for the test (docs/detection.md).
///
/// Every contact falls into one of three groups: ordinary categories, `unknown`, and outlets, where anybody can leave
/// data. No group and no ordinary category has share zero: an event that was never expected would be infinite evidence,
/// and lists are never complete.
public struct MixBaseline: Hashable, Sendable {
  /// Where a contact falls.
  enum Group: UInt8, Sendable {
    /// A category that the baseline lists, or an everyday one that it does not.
    case ordinary
    /// Nobody knows what the destination is.
    case unknown
    /// An outlet that the baseline does not list.
    case outlet
    /// What other contacts bring along, where the baseline does not list it: it says nothing of its own.
    case follower
  }

  /// How closely sessions keep to a baseline unless it is known: a little less than the simulations that the test was
  /// tuned on assume.
  public static let defaultConcentration = 50.0
  /// Least share of `unknown`, of outlets, and, among the ordinary, of those that are not listed: any agent has some.
  static let leastShare = 0.03
  /// Part of each listed category's share that is spread evenly over the listed.
  static let smoothing = 0.05
  /// Where anybody can leave data for anybody. Where one is listed it is as ordinary as any other.
  static let outlets = ["paste", "file-sharing", "webhook-and-tunnel", "dynamic-dns", "doh-resolver"]
  /// Contacts that the sites an agent visits bring along. An agent does not choose them, and few who write a baseline
  /// think of them; where one is listed it counts like any other.
  static let followers = ["cdn", "advertising-and-tracking", "telemetry"]

  /// Shares as they were given: parts of one.
  public let shares: [Category: Double]
  /// How closely sessions of the type keep to the shares: a session's own mix lies around them as if it had been
  /// estimated from so many contacts.
  public let concentration: Double
  /// Categories that are told apart: numbers from here on count as `unknown`.
  let width: Int
  /// The group of each category.
  private let groups: [Group]
  /// Shares of ordinary, unknown and outlets; their sum is one.
  let groupShares: [Double]
  /// Each ordinary category's share among the ordinary.
  let ordinaryShares: [Double]
  /// Tells baselines apart in stored state: evidence against one is none against another.
  let fingerprint: UInt64

  /// A baseline. Nil when the shares are negative, not numbers, more than one in all, or of no category but `unknown`.
  /// What they leave of one is for `unknown` (if it is not listed) and everyday categories.
  public init?(
    _ shares: [Category: Double], concentration: Double = defaultConcentration, names: CategoryNames = CategoryNames()
  ) {
    let sum = shares.values.reduce(0, +)
    let listed = shares.filter { $0.key != .unknown && $0.value > 0 && Int($0.key.rawValue) < names.count }
    guard concentration.isFinite, concentration >= 1, shares.values.allSatisfy({ $0.isFinite && $0 >= 0 }), sum < 1.001,
      !listed.isEmpty
    else { return nil }
    self.shares = shares
    self.concentration = concentration
    width = names.count
    var groups = [Group](repeating: .ordinary, count: width)
    for (list, group) in [(Self.followers, Group.follower), (Self.outlets, .outlet)] {
      for name in list {
        if let category = names.category(named: name) { groups[Int(category.rawValue)] = group }
      }
    }
    for category in listed.keys { groups[Int(category.rawValue)] = .ordinary }
    groups[0] = .unknown
    self.groups = groups
    let rest = max(0, 1 - sum)
    let ofUnknown = min(0.9, max(Self.leastShare, shares[.unknown] ?? rest / 2))
    groupShares = [1 - ofUnknown - Self.leastShare, ofUnknown, Self.leastShare]
    let listedSum = listed.values.reduce(0, +)
    let others = (0..<width).filter { groups[$0] == .ordinary && listed[Category(rawValue: UInt8($0))] == nil }
    let ofOthers = others.isEmpty ? 0 : max(Self.leastShare, (shares[.unknown] == nil ? rest / 2 : rest) * 0.9)
    var ordinaryShares = [Double](repeating: 0, count: width)
    for (category, share) in listed {
      let smooth = (1 - Self.smoothing) * share / listedSum + Self.smoothing / Double(listed.count)
      ordinaryShares[Int(category.rawValue)] = (1 - ofOthers) * smooth
    }
    for place in others { ordinaryShares[place] = ofOthers / Double(others.count) }
    self.ordinaryShares = ordinaryShares
    // FNV-1a, 64 bits.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for category in 0..<width {
      let share = shares[Category(rawValue: UInt8(category))] ?? 0
      for part in [UInt64(groups[category].rawValue), share.bitPattern] {
        hash = (hash ^ part) &* 0x0000_0100_0000_01b3
      }
    }
    fingerprint = hash ^ concentration.bitPattern
  }

  /// The group of a category; a number beyond the width is as good as unknown.
  func group(of category: Category) -> Group {
    let place = Int(category.rawValue)
    return place < width ? groups[place] : .unknown
  }

  /// True for a category that is expected by itself, not only since any agent has a little of everything.
  func lists(_ category: Category) -> Bool { shares[category].map { $0 > 0 } == true }

  /// False for a category that the test passes over: followers that the baseline does not list.
  public func counts(_ category: Category) -> Bool { group(of: category) != .follower }

  /// What is expected of a category beforehand: its smoothed share.
  func share(of category: Category) -> Double {
    switch group(of: category) {
    case .ordinary: groupShares[0] * ordinaryShares[Int(category.rawValue)]
    case .unknown: groupShares[1]
    case .outlet, .follower: 0
    }
  }
}

/// A baseline that was learned, and what it rests on.
public struct LearnedMix: Hashable, Sendable {
  /// Shares by category; their sum is one.
  public var shares: [Category: Double]
  /// How closely the sessions kept to them.
  public var concentration: Double
  /// Sessions it rests on, beside the prior.
  public var sessions: Int
  /// Contacts of these sessions.
  public var contacts: Int
  /// Sessions that the prior counts for.
  public var priorSessions: Double
}

extension MixBaseline {
  /// What a learned concentration is held within: less and nothing would surprise, more than sessions can show.
  static let learnedConcentrations = 10.0...400.0

  /// Contacts of a session below which it says nothing of how sessions differ.
  static let leastContacts = 2

  /// Learns from the contacts by category of sessions that reviewers called benign; never from unreviewed ones, which
  /// an attacker could have made. `prior` counts for `priorSessions` sessions, both for the shares and the concentration.
  ///
  /// Shares: a session's proportions weigh as the contacts that n contacts are worth when sessions differ,
  /// n k / (n + k). Concentration: the method of moments, since for a Dirichlet-multinomial the expected squared distance
  /// of a session's proportions from the shares p is (1 - sum p^2) (1/n + (1 - 1/n) / (k + 1)) (Mosimann 1962).
  public static func learned(
    from sessions: [[Category: Int]], prior: MixBaseline, priorSessions: Double = 5
  ) -> LearnedMix {
    let k = prior.concentration
    let counted = sessions.map { $0.mapValues { Double(max(0, $0)) } }.filter {
      $0.values.reduce(0, +) >= Double(leastContacts)
    }
    var sums = prior.shares.mapValues { $0 * priorSessions * k }
    // All sums in one order, or the same sessions would make another baseline after a restart.
    var weight = sums.values.sorted().reduce(0, +)
    for session in counted {
      let n = session.values.reduce(0, +)
      let worth = n * k / (n + k)
      for (category, count) in session { sums[category, default: 0] += worth * count / n }
      weight += worth
    }
    let shares = weight > 0 ? sums.mapValues { $0 / weight } : prior.shares
    let spread = 1 - shares.values.sorted().reduce(0) { $0 + $1 * $1 }
    var overdispersion = priorSessions / (k + 1)
    for session in counted where spread > 0 {
      let n = session.values.reduce(0, +)
      let differences = shares.map { (session[$0.key] ?? 0) / n - $0.value }
      let distance = differences.map { $0 * $0 }.sorted().reduce(0, +)
      overdispersion += (distance / spread - 1 / n) / (1 - 1 / n)
    }
    // The shares were fitted to the same sessions: so many fewer are free to lie around them.
    let free = max(1, Double(counted.count) + priorSessions - 1)
    let concentration = 1 / max(1e-9, overdispersion / free) - 1
    let range = learnedConcentrations
    return LearnedMix(
      shares: shares, concentration: min(range.upperBound, max(range.lowerBound, concentration)),
      sessions: counted.count, contacts: Int(counted.reduce(0) { $0 + $1.values.reduce(0, +) }),
      priorSessions: priorSessions)
  }
}
