/// When flags were raised last, so that a loop is one flag and what goes on is not forgotten: the same kind for the same
/// destination is raised again after an hour.
struct FlagIntervals: Sendable {
  /// Time after which a flag is armed again, in seconds.
  static let interval: Int64 = 3_600
  /// Flags remembered, at 8 bytes each. While so many are younger than an hour no other is raised: a reviewer has
  /// enough.
  static let maximum = 64

  /// Keyed hashes, and whole seconds since 1970.
  private var raised: [(what: UInt32, at: UInt32)] = []

  /// True when a flag of this kind for this destination may be raised now; it counts as raised then.
  mutating func admit(_ kind: FlagKind, _ destination: UInt64, at now: Timestamp) -> Bool {
    let mixed = (destination ^ UInt64(kind.signatureID) &* 0x9e37_79b9_7f4a_7c15) &* 0xd6e8_feb8_6659_fd93
    let what = UInt32(truncatingIfNeeded: mixed >> 32)
    let second = UInt32(clamping: now.nanoseconds / 1_000_000_000)
    for index in raised.indices where raised[index].what == what {
      guard Self.isOver(raised[index].at, second) || second < raised[index].at else { return false }
      raised[index].at = second
      return true
    }
    if raised.count >= Self.maximum { raised.removeAll { Self.isOver($0.at, second) } }
    guard raised.count < Self.maximum else { return false }
    raised.append((what, second))
    return true
  }

  private static func isOver(_ raised: UInt32, _ now: UInt32) -> Bool { Int64(now) - Int64(raised) >= interval }
}
