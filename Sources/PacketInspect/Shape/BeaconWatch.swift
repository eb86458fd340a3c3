/// Contacts at regular intervals, for the destinations of one session.
///
/// What is remembered of a destination is a few dozen bytes, only from its second contact on, and only for so many: the
/// one whose intervals say least makes room. Of a burst of contacts only the first counts.
struct BeaconWatch: Sendable {
  /// Destinations watched for one session. One that is contacted regularly pushes out those that are not, so that an
  /// agent cannot hide a beacon among many contacts. At 84 bytes each 1.3 kB a session, of which there are ten thousand.
  static let maximumWatched = 16
  /// Destinations looked at for the one to forget, unless all of them are regular: the next ones in turn, so that what
  /// a new contact costs does not grow with how many are watched.
  private static let candidates = 8
  /// Quiet before a contact that begins another burst, in nanoseconds: what comes sooner belongs to the same errand.
  static let quiet: Int64 = 2_000_000_000
  /// Intervals and sizes looked at: the latest. Enough for a median; few enough to sort at each contact.
  static let window = 12
  /// Intervals before regularity means anything.
  private static let fewest = 5
  /// Intervals beyond which a pause has ended what was regular: a job that is asked after again later is not one long
  /// beacon.
  private static let longestPause: Double = 4
  /// How much less regular it may become before it counts as over: windows of a dozen vary.
  private static let hysteresis = 1.5
  /// Typical bytes of a contact beyond which it is not a beacon's sign of life, whatever its rhythm.
  static let smallContact: Double = 65_536
  /// Deviation of sizes, as a share of their median, up to which they are alike: what has something to tell varies.
  static let uniformity = 0.25

  fileprivate struct Entry: Sendable {
    /// Start of the latest burst, and its latest contact.
    var start: Timestamp
    var last: Timestamp
    /// Since when the intervals have been regular.
    var regularSince: Timestamp
    /// Stays at its maximum.
    var contacts: UInt16 = 0
    /// Milliseconds between the starts of bursts; the oldest is overwritten.
    var intervals = InlineArray<12, CompactNumber>(repeating: CompactNumber())
    /// Payload bytes sent in each.
    var sizes = InlineArray<12, CompactNumber>(repeating: CompactNumber())
    var intervalCount: UInt8 = 0
    var sizeCount: UInt8 = 0
    var isRegular = false
    var hasFlows = false
    var isFlagged = false
  }

  private var tags: [UInt32] = []
  private var entries: [Entry] = []
  private var hand = 0

  /// Destinations watched now.
  var count: Int { tags.count }

  /// Takes a contact; the flag when it shows what has been regular for long enough. `previous` is the latest contact
  /// before it, nil for a destination's first.
  ///
  /// A destination that is not only looked up is judged at its flows: `isLookUp` says that this is a question.
  mutating func contact(
    _ tag: UInt32, previous: Timestamp?, isLookUp: Bool = false, policy: ShapePolicy,
    at now: Timestamp
  ) -> BeaconFinding? {
    guard let place = tags.firstIndex(of: tag) else {
      if let previous, now.since(previous) >= Self.quiet { watch(tag, since: previous, at: now) }
      return nil
    }
    if !isLookUp { entries[place].hasFlows = true }
    if now.since(entries[place].last) < Self.quiet {
      entries[place].last = max(entries[place].last, now)
    } else {
      entries[place].note(interval: now.since(entries[place].start))
      entries[place].start = now
      entries[place].last = now
      judge(place, policy, now)
    }
    return isLookUp && entries[place].hasFlows ? nil : finding(place, policy, now)
  }

  /// Notes how much was sent in one contact.
  mutating func noteSize(_ tag: UInt32, _ bytes: UInt64) {
    guard let place = tags.firstIndex(of: tag) else { return }
    entries[place].note(size: bytes)
  }

  private mutating func judge(_ place: Int, _ policy: ShapePolicy, _ now: Timestamp) {
    let entry = entries[place]
    let count = min(Int(entry.intervalCount), Self.window)
    guard count >= Self.fewest, let spread = Spread(entry.intervals, count: count) else { return }
    let sizes = Spread(entry.sizes, count: min(Int(entry.sizeCount), Self.window))
    let isAlike = sizes.map { $0.median <= Self.smallContact && $0.relativeDeviation <= Self.uniformity } ?? true
    let isPause = Double(entry.latestInterval) > Self.longestPause * spread.median
    let limit = entry.isRegular ? policy.beaconJitter * Self.hysteresis : policy.beaconJitter
    guard spread.relativeDeviation <= limit, isAlike, !isPause else {
      entries[place].isRegular = false
      // One that wavers about the limit is the same beacon still, and told of already.
      if isPause {
        entries[place].isFlagged = false
        entries[place].intervalCount = 0
      }
      return
    }
    if entry.isRegular {
      entries[place].contacts += entries[place].contacts == .max ? 0 : 1
      return
    }
    var sum: UInt64 = 0
    for index in 0..<count {
      guard Double(entry.intervals[index].value) <= Self.longestPause * spread.median else { return }
      sum &+= entry.intervals[index].value
    }
    entries[place].isRegular = true
    entries[place].contacts = UInt16(count) + 1
    entries[place].regularSince = now.advanced(byNanoseconds: -Int64(clamping: sum &* 1_000_000))
  }

  private mutating func finding(_ place: Int, _ policy: ShapePolicy, _ now: Timestamp) -> BeaconFinding? {
    let entry = entries[place]
    let span = now.since(entry.regularSince)
    guard entry.isRegular, !entry.isFlagged, Int(entry.contacts) >= policy.beaconContacts, span >= policy.beaconSpan,
      let spread = Spread(entry.intervals, count: min(Int(entry.intervalCount), Self.window))
    else { return nil }
    entries[place].isFlagged = true
    return BeaconFinding(
      contacts: Int(entry.contacts), interval: spread.median / 1_000, deviation: spread.relativeDeviation, span: span,
      size: Spread(entry.sizes, count: min(Int(entry.sizeCount), Self.window)).map { Int($0.median) })
  }

  private mutating func watch(_ tag: UInt32, since previous: Timestamp, at now: Timestamp) {
    var entry = Entry(start: now, last: now, regularSince: now)
    entry.note(interval: now.since(previous))
    guard tags.count >= Self.maximumWatched else {
      // Not to the next power of two: ten thousand sessions may be full.
      if tags.count == tags.capacity {
        tags.reserveCapacity(min(Self.maximumWatched, tags.count + 4))
        entries.reserveCapacity(min(Self.maximumWatched, tags.count + 4))
      }
      tags.append(tag)
      entries.append(entry)
      return
    }
    let place = leastTelling(at: now)
    tags[place] = tag
    entries[place] = entry
  }

  /// The one to forget of the next few: whose rhythm is over, else that has none, else that has shown the fewest
  /// intervals. They take turns, so that none is sure to go before its next contact.
  private mutating func leastTelling(at now: Timestamp) -> Int {
    var found = hand
    var lowest = UInt64.max
    for step in 0..<tags.count {
      if step >= Self.candidates, lowest < BeaconWatch.Entry.regularWorth { break }
      let value = entries[hand].worth(at: now)
      if value < lowest { (found, lowest) = (hand, value) }
      hand = hand + 1 < tags.count ? hand + 1 : 0
    }
    return found
  }
}

/// What a beacon flag rests on.
struct BeaconFinding: Hashable, Sendable {
  /// Contacts since it has been regular.
  var contacts: Int
  /// The median interval, in seconds.
  var interval: Double
  /// The median deviation from it, as a share of it.
  var deviation: Double
  /// How long it has been regular, in nanoseconds.
  var span: Int64
  /// The median of the payload bytes sent in a contact; nil where no flow has told.
  var size: Int?
}

extension BeaconWatch.Entry {
  fileprivate mutating func note(interval: Int64) {
    intervals[Int(intervalCount) % BeaconWatch.window] = CompactNumber(UInt64(max(0, interval)) / 1_000_000)
    intervalCount = Self.next(intervalCount)
  }

  fileprivate mutating func note(size: UInt64) {
    sizes[Int(sizeCount) % BeaconWatch.window] = CompactNumber(size)
    sizeCount = Self.next(sizeCount)
  }

  /// Counts on without losing its place in the window.
  private static func next(_ count: UInt8) -> UInt8 {
    let window = UInt8(BeaconWatch.window)
    return count + 1 >= 4 * window ? 3 * window : count + 1
  }

  /// In milliseconds.
  fileprivate var latestInterval: UInt64 {
    intervals[(Int(intervalCount) + BeaconWatch.window - 1) % BeaconWatch.window].value
  }

  /// What one that is regular is worth, above all that are not.
  fileprivate static let regularWorth: UInt64 = 64

  fileprivate func worth(at now: Timestamp) -> UInt64 {
    let latest = latestInterval
    let age = UInt64(max(0, now.since(start))) / 1_000_000
    if isRegular { return age > 8 * latest ? 1 : Self.regularWorth }
    if age / 3 > latest { return 0 }
    return intervalCount > 5 ? 1 : UInt64(intervalCount) + 1
  }
}
