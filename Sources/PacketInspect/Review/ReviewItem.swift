/// Flags of one kind of a session, counted.
public struct ReviewTally: Hashable, Sendable {
  /// Their kind.
  public var kind: FlagKind
  /// The overlay that the session ran into, where that is what they tell.
  public var overlay: UInt64?
  /// How many.
  public var count: Int
  /// The number of the latest.
  public var latest: UInt64
  /// When the first was raised.
  public var first: Timestamp
  /// When the last was.
  public var last: Timestamp

  /// A tally.
  public init(
    kind: FlagKind, overlay: UInt64? = nil, count: Int = 1, latest: UInt64, first: Timestamp, last: Timestamp
  ) {
    self.kind = kind
    self.overlay = overlay
    self.count = count
    self.latest = latest
    self.first = first
    self.last = last
  }
}

/// Why a reviewer's step is refused.
public enum ReviewRefusal: Error, Hashable, Sendable {
  /// The item is not as the reviewer saw it.
  case changed
  /// It is resolved; only another resolution may follow.
  case alreadyResolved
}

/// A flagged session: all its flags, and what reviewers did about it. A value without a clock; its state follows from
/// flags and steps, so that a flag that arrives late finds its place.
public struct ReviewItem: Hashable, Sendable {
  /// The session's id.
  public let session: String
  /// Its flags by kind and overlay.
  public let tallies: [ReviewTally]
  /// The last step; nil when nobody has taken any.
  public let step: ReviewStep?
  /// Overlays that steps of this item made.
  private let ownOverlays: Set<UInt64>

  /// An item of at least one tally, with its steps in any order.
  public init(session: String, tallies: [ReviewTally], steps: [ReviewStep] = []) {
    self.session = session
    self.tallies = tallies
    step = steps.max { $0.number < $1.number }
    ownOverlays = Set(steps.compactMap(\.overlay))
  }

  /// The flags that are news to a reviewer. That a session runs into what its own review put up is none: a block
  /// would open the item at the next packet.
  private var news: [ReviewTally] {
    tallies.filter { tally in tally.overlay.map { !ownOverlays.contains($0) } ?? true }
  }

  /// Of the gravest flag: 1 is the gravest level, 3 the mildest.
  public var severity: Int { news.lazy.map(\.kind.severity).min() ?? 3 }

  /// Its flags.
  public var flags: Int { tallies.reduce(0) { $0 + $1.count } }

  /// When the first flag was raised.
  public var first: Timestamp { tallies.lazy.map(\.first).min() ?? Timestamp(nanoseconds: 0) }

  /// When the last one was.
  public var last: Timestamp { tallies.lazy.map(\.last).max() ?? Timestamp(nanoseconds: 0) }

  /// What a reviewer sees now.
  public var version: ReviewVersion {
    ReviewVersion(flag: news.lazy.map(\.latest).max() ?? 0, step: step?.number ?? 0)
  }

  /// Its state. A flag later than those that the last step rests on opens it again, and so does the step's end.
  public func state(at now: Timestamp) -> ReviewState {
    guard let step, version.flag <= step.flag else { return .open }
    if let expires = step.expires, expires <= now { return .open }
    return step.action.state
  }

  /// The step that a reviewer takes who has seen `seen`. Taken when it is written down.
  public func next(
    _ action: ReviewAction, seen: ReviewVersion, at now: Timestamp, expires: Timestamp? = nil
  ) throws(ReviewRefusal) -> ReviewStep {
    guard seen == version else { throw .changed }
    if action == .acknowledge, state(at: now) == .resolved { throw .alreadyResolved }
    return ReviewStep(number: version.step + 1, action: action, flag: version.flag, at: now, expires: expires)
  }
}
