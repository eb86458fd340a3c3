/// Where a flagged session is in its review.
public enum ReviewState: String, Sendable, CaseIterable {
  /// Nobody has looked at what it did last.
  case open
  /// Somebody is at it.
  case acknowledged
  /// Somebody has decided.
  case resolved
}

/// What a reviewer decides of a flagged session.
public enum ReviewDisposition: String, Sendable, CaseIterable {
  /// Nothing is wrong; its agent type's baseline may learn from it.
  case benign
  /// It may have more destinations.
  case extend
  /// A destination is refused.
  case deny
  /// All of its packets are refused.
  case block
  /// Something is wrong, and is dealt with elsewhere.
  case confirmed
}

/// What a reviewer does with an item.
public enum ReviewAction: Hashable, Sendable {
  case acknowledge
  case resolve(ReviewDisposition)

  /// The state that it brings about.
  public var state: ReviewState {
    switch self {
    case .acknowledge: .acknowledged
    case .resolve: .resolved
    }
  }
}

/// What a reviewer has seen of an item: it changes with every flag, and with every step of another reviewer.
public struct ReviewVersion: Hashable, Sendable {
  /// The number of the latest flag that counts; 0 for none.
  public var flag: UInt64
  /// How many steps reviewers have taken.
  public var step: UInt64

  /// A version.
  public init(flag: UInt64, step: UInt64) { (self.flag, self.step) = (flag, step) }

  /// As people and programs hand it back: `FLAG.STEP`.
  public var text: String { "\(flag).\(step)" }

  /// From that form; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let flag = UInt64(parts[0]), let step = UInt64(parts[1]) else { return nil }
    self.init(flag: flag, step: step)
  }
}

/// One thing that a reviewer did with an item.
public struct ReviewStep: Hashable, Sendable {
  /// The how-manieth it is of its session, from 1.
  public var number: UInt64
  /// What was done.
  public var action: ReviewAction
  /// The latest flag that the reviewer had seen: what is later is new.
  public var flag: UInt64
  /// When.
  public var at: Timestamp
  /// When it is over, and the item open again; nil for never.
  public var expires: Timestamp?
  /// The overlay that was made by it.
  public var overlay: UInt64?

  /// A step.
  public init(
    number: UInt64, action: ReviewAction, flag: UInt64, at: Timestamp, expires: Timestamp? = nil, overlay: UInt64? = nil
  ) {
    self.number = number
    self.action = action
    self.flag = flag
    self.at = at
    self.expires = expires
    self.overlay = overlay
  }
}
