/// A session's contacts by category, and the evidence that their mix has left what its agent type and its own past
/// let expect: an e-process over suspected times of change (docs/detection.md). About 1.4 KB; made at the first contact.
public struct CategoryMix: Sendable, Hashable {
  /// Contacts at which all counts are halved: they fit 16 bits, and what is so long ago weighs little.
  static let maximumContacts: UInt32 = 32_000

  /// Contacts by category, then, for each suspected change, those since.
  private(set) var cells: [UInt16]
  /// Categories a row of `cells` has room for.
  private(set) var width: Int
  private(set) var starts: [MixStart] = []
  /// Contacts since the session began, or since its last flag's change.
  private(set) var total: UInt32 = 0
  private(set) var groups: SIMD4<UInt16> = .zero
  /// Suspected changes so far, kept or not.
  private(set) var startsMade: UInt32 = 0
  /// Flags raised since a reviewer last acted.
  public internal(set) var flags: UInt8 = 0
  /// True while destinations not yet contacted are held (`onShift` is not `flag`).
  public internal(set) var isHeld = false
  /// Categories that rose in the shifts since a reviewer last acted.
  public internal(set) var risen: CategorySet = []
  private(set) var fingerprint: UInt64
  private(set) var lastGroup: MixBaseline.Group?
  private(set) var lastOrdinary: Category?
  private(set) var groupRepeats = MixRepeats(prior: MixTest.groupRepeatPrior)
  private(set) var ordinaryRepeats = MixRepeats(prior: MixTest.ordinaryRepeatPrior)
  /// Who was contacted lately.
  private(set) var hosts = RecentHosts()

  /// No contact yet.
  public init(_ baseline: MixBaseline) {
    width = baseline.width
    fingerprint = baseline.fingerprint
    cells = []
    cells.reserveCapacity(width * (MixTest.maximumStarts + 1))
    cells.append(contentsOf: repeatElement(0, count: width))
    starts.reserveCapacity(MixTest.maximumStarts)
  }

  /// Contacts of each category since the session began, or since its last flag's change: what a baseline is learned from.
  public var counts: [Category: Int] {
    var result: [Category: Int] = [:]
    for place in 0..<width where cells[place] > 0 { result[Category(rawValue: UInt8(place))] = Int(cells[place]) }
    return result
  }

  /// Takes a contact. The result is the shift that it made certain enough to flag, if it did.
  public mutating func add(_ category: Category, host: DestinationKey, policy: MixPolicy) -> MixShift? {
    let baseline = policy.baseline
    if fingerprint != baseline.fingerprint { rebase(baseline) }
    let group = baseline.group(of: category)
    guard group != .follower else { return nil }
    let category = Int(category.rawValue) < width ? category : .unknown
    if total >= Self.maximumContacts { halve(baseline) }
    if Int(total) % MixTest.spacing == 0 { suspect() }
    bet(category, group, baseline)
    count(category, group)
    hosts.add(host, category, at: total)
    return shift(policy)
  }

  /// A reviewer has acted: what is held is released, and the session's mix as it is now is its own.
  public mutating func release() {
    isHeld = false
    risen = []
    flags = 0
    forgetStarts()
  }

  // MARK: The test

  /// What a past of so many contacts is worth for each of them.
  private func worth(_ past: Double) -> Double { past > MixTest.pastCap ? MixTest.pastCap / past : 1 }

  /// The baseline's worth in contacts.
  private func pull(_ baseline: MixBaseline) -> Double {
    flags == 0 ? baseline.concentration : MixTest.flaggedConcentration
  }

  /// Stakes a little on a change just before the next contact.
  private mutating func suspect() {
    if starts.count == MixTest.maximumStarts { thin() }
    let stake = MixTest.stake(Int(startsMade))
    var capital = SIMD4<Float>.zero
    for bet in 0..<MixTest.bets { capital[bet] = Float(stake * MixTest.stakes[bet]) }
    starts.append(MixStart(start: total, capital: capital))
    cells.append(contentsOf: repeatElement(0, count: width))
    startsMade &+= 1
  }

  /// Drops the suspected change whose neighbours are nearest to each other for their age. Its capital goes to the next
  /// one, which bets on much the same: moving capital is part of a fair game.
  private mutating func thin() {
    var best = Double.infinity
    var place = 1
    for candidate in 1..<(starts.count - 1) {
      let older = Double(total - starts[candidate - 1].start) + 4
      let newer = Double(total - starts[candidate + 1].start) + 4
      if older / newer < best {
        best = older / newer
        place = candidate
      }
    }
    starts[place + 1].capital += starts[place].capital
    starts.remove(at: place)
    cells.removeSubrange((place + 1) * width..<(place + 2) * width)
  }

  /// Every bet wins or loses by how much likelier it called this contact than what is expected does.
  private mutating func bet(_ category: Category, _ group: MixBaseline.Group, _ baseline: MixBaseline) {
    let g = Int(group.rawValue)
    let c = Int(category.rawValue)
    let pull = pull(baseline)
    let isSame = lastGroup == group
    let isSameOrdinary = lastOrdinary == category
    let chance = lastGroup == nil ? 0 : groupRepeats.chance(1)
    let ordinaryChance = lastOrdinary == nil ? 0 : ordinaryRepeats.chance(MixTest.ordinaryRepeatFactor)
    for place in starts.indices {
      let start = starts[place]
      let since = Double(total - start.start)
      let past = Double(start.start)
      let worth = worth(past)
      let known = pull + worth * past
      let ordinary = (pull * baseline.groupShares[0] + worth * Double(groups[0] - start.groups[0])) / known
      let mean =
        g == 0 ? ordinary : (pull * baseline.groupShares[g] + worth * Double(groups[g] - start.groups[g])) / known
      let seen = Double(start.groups[g])
      let concentration = known * MixTest.groupTaskConcentration / (known + MixTest.groupTaskConcentration)
      let expected =
        (isSame ? chance : 0) + (1 - chance) * (concentration * mean + seen) / (concentration + since)
      let scale = 1 / expected
      var capital = start.capital
      for bet in 0..<3 {
        let unknown = min(MixTest.rises[bet].unknown, 0.81 * ordinary)
        let outlets = min(MixTest.rises[bet].outlets, 0.9 * ordinary)
        let risen = g == 0 ? mean - unknown - outlets : g == 1 ? mean + unknown : mean + outlets
        // It repeats nothing: a session that clings to one group then wins nothing by it.
        let supposed = (MixTest.changedConcentration * risen + seen) / (MixTest.changedConcentration + since)
        capital[bet] *= Float(supposed * scale)
      }
      if group == .ordinary {
        let pastOrdinary = Double(groups[0] - start.groups[0])
        let row = (place + 1) * width
        let seenHere = Double(cells[row + c])
        let worth = self.worth(pastOrdinary)
        let known = pull + worth * pastOrdinary
        let mean = (pull * baseline.ordinaryShares[c] + worth * Double(cells[c] - cells[row + c])) / known
        let concentration = known * MixTest.taskConcentration / (known + MixTest.taskConcentration)
        let plain = (concentration * mean + seenHere) / (concentration + seen)
        let changed =
          (MixTest.changedOrdinaryConcentration * mean + seenHere) / (MixTest.changedOrdinaryConcentration + seen)
        let again = isSameOrdinary ? ordinaryChance : 0
        capital[3] *= Float((again + (1 - ordinaryChance) * changed) / (again + (1 - ordinaryChance) * plain))
      }
      // Far beyond any threshold; it must stay a number.
      starts[place].capital = capital.clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 1e30))
    }
    learnRepeats(category, group, baseline, pull)
  }

  private mutating func learnRepeats(
    _ category: Category, _ group: MixBaseline.Group, _ baseline: MixBaseline, _ pull: Double
  ) {
    let g = Int(group.rawValue)
    let c = Int(category.rawValue)
    if let lastGroup {
      let past = Double(total)
      let worth = worth(past)
      let expected = (pull * baseline.groupShares[g] + worth * Double(groups[g])) / (pull + worth * past)
      groupRepeats.learn(
        isSame: lastGroup == group, expected: expected, factor: 1, floor: MixTest.groupRepeatFloor)
    }
    if group == .ordinary, let lastOrdinary {
      let past = Double(groups[0])
      let worth = worth(past)
      let expected = (pull * baseline.ordinaryShares[c] + worth * Double(cells[c])) / (pull + worth * past)
      ordinaryRepeats.learn(
        isSame: lastOrdinary == category, expected: expected, factor: MixTest.ordinaryRepeatFactor,
        floor: MixTest.ordinaryRepeatFloor)
    }
  }

  private mutating func count(_ category: Category, _ group: MixBaseline.Group) {
    let c = Int(category.rawValue)
    for place in starts.indices {
      starts[place].groups[Int(group.rawValue)] &+= 1
      cells[(place + 1) * width + c] &+= 1
    }
    cells[c] &+= 1
    groups[Int(group.rawValue)] &+= 1
    total &+= 1
    lastGroup = group
    if group == .ordinary { lastOrdinary = category }
  }

  // MARK: The flag

  /// Fewest contacts since the change for a flag: with fewer nobody could say what moved.
  static let minimumSince: UInt32 = 10

  /// The shift, when the evidence and its size suffice. It also makes the mix since the change the session's own: the
  /// next flag is of a further shift, and needs twice the evidence.
  private mutating func shift(_ policy: MixPolicy) -> MixShift? {
    var evidence = 0.0
    var likeliest = 0
    for place in starts.indices {
      let capital = starts[place].total
      evidence += capital
      if capital > starts[likeliest].total { likeliest = place }
    }
    let doubled = Double(UInt64(1) << UInt64(min(30, flags)))
    guard evidence * policy.falsePositiveRate >= doubled, Int(total) >= policy.minimumContacts, !starts.isEmpty,
      total - starts[likeliest].start >= Self.minimumSince
    else { return nil }
    let moves = moves(since: likeliest, policy.baseline)
    let distance = moves.reduce(0) { $0 + abs($1.to - $1.from) } / 2
    guard distance >= policy.minimumDistance else { return nil }
    if flags > 0 {
      // Back to what the type does, or half of the way, is nothing to flag.
      let away = moves.reduce(0) { $0 + abs($1.to - policy.baseline.share(of: $1.category)) } / 2
      let before = moves.reduce(0) { $0 + abs($1.from - policy.baseline.share(of: $1.category)) } / 2
      guard away >= max(policy.minimumDistance, before / 2) else { return nil }
    }
    let change = starts[likeliest].start
    let shift = MixShift(
      contacts: Int(total - change), distance: distance, evidence: evidence,
      moves: moves.filter { abs($0.to - $0.from) >= MixShift.leastMove }
        .sorted { abs($0.to - $0.from) > abs($1.to - $1.from) }
        .prefix(MixShift.maximumMoves).map { move in
          var move = move
          if move.to > move.from { move.hosts = hosts.most(in: move.category, since: change) }
          return move
        })
    flags = flags == .max ? flags : flags + 1
    risen.formUnion(shift.risen)
    if policy.onShift != .flag { isHeld = true }
    adopt(likeliest)
    return shift
  }

  /// Each category's expected and actual share since a suspected change.
  private func moves(since place: Int, _ baseline: MixBaseline) -> [MixMove] {
    let start = starts[place]
    let pull = pull(baseline)
    let past = Double(start.start)
    let known = pull + worth(past) * past
    let since = Double(total - start.start)
    let pastOrdinary = Double(groups[0] - start.groups[0])
    let knownOrdinary = pull + worth(pastOrdinary) * pastOrdinary
    func group(_ g: Int) -> Double {
      (pull * baseline.groupShares[g] + worth(past) * Double(groups[g] - start.groups[g])) / known
    }
    let row = (place + 1) * width
    return (0..<width).compactMap { c in
      let category = Category(rawValue: UInt8(c))
      let before = Double(cells[c] - cells[row + c])
      let from: Double
      switch baseline.group(of: category) {
      case .ordinary:
        from = group(0) * (pull * baseline.ordinaryShares[c] + worth(pastOrdinary) * before) / knownOrdinary
      case .unknown: from = group(1)
      case .outlet: from = worth(past) * before / known
      case .follower: return nil
      }
      return MixMove(category: category, from: from, to: Double(cells[row + c]) / since)
    }
  }

  /// Makes the contacts since a suspected change the session's whole past.
  private mutating func adopt(_ place: Int) {
    let row = (place + 1) * width
    groups = starts[place].groups
    total -= starts[place].start
    cells = Array(cells[row..<row + width])
    hosts.rebase(to: total)
    starts.removeAll(keepingCapacity: true)
  }

  private mutating func forgetStarts() {
    starts.removeAll(keepingCapacity: true)
    cells.removeSubrange(width...)
  }

  // MARK: Change of terms

  /// What was stored, checked.
  struct Stored {
    var fingerprint: UInt64
    var total: UInt32
    var made: UInt32
    var flags: UInt8
    var isHeld: Bool
    var risen: CategorySet
    var lastGroup: MixBaseline.Group?
    var lastOrdinary: Category?
    var groupWeights: SIMD4<Float>
    var ordinaryWeights: SIMD4<Float>
    var cells: [UInt16]
    var starts: [MixStart]
    var hosts: RecentHosts
  }

  /// Takes up what was stored.
  mutating func take(_ stored: Stored, _ baseline: MixBaseline) {
    cells = stored.cells
    starts = stored.starts
    total = stored.total
    startsMade = stored.made
    flags = stored.flags
    isHeld = stored.isHeld
    risen = stored.risen
    lastGroup = stored.lastGroup
    lastOrdinary = stored.lastOrdinary
    groupRepeats.weights = stored.groupWeights
    ordinaryRepeats.weights = stored.ordinaryWeights
    hosts = stored.hosts
    guard stored.fingerprint == baseline.fingerprint else { return rebase(baseline) }
    regroup(baseline)
    for place in starts.indices {
      starts[place].groups = .zero
      for c in 0..<width {
        let group = Int(baseline.group(of: Category(rawValue: UInt8(c))).rawValue)
        if group < 3 { starts[place].groups[group] &+= cells[(place + 1) * width + c] }
      }
    }
  }

  /// Another baseline: the counts stay, the evidence against the old one goes.
  private mutating func rebase(_ baseline: MixBaseline) {
    forgetStarts()
    if baseline.width > width { cells.append(contentsOf: repeatElement(0, count: baseline.width - width)) }
    width = cells.count
    fingerprint = baseline.fingerprint
    lastGroup = nil
    lastOrdinary = nil
    regroup(baseline)
  }

  private mutating func halve(_ baseline: MixBaseline) {
    forgetStarts()
    for c in 0..<width { cells[c] /= 2 }
    regroup(baseline)
    hosts.rebase(to: total)
  }

  private mutating func regroup(_ baseline: MixBaseline) {
    groups = .zero
    for c in 0..<width {
      let group = baseline.group(of: Category(rawValue: UInt8(c)))
      if group == .follower {
        cells[c] = 0
      } else {
        groups[Int(group.rawValue)] &+= cells[c]
      }
    }
    total = UInt32(groups[0]) + UInt32(groups[1]) + UInt32(groups[2])
  }
}
