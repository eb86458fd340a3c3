/// When flags were raised last, so that a loop is one flag and what goes on is not forgotten: the same kind for the same
/// destination is raised again after an hour.
struct FlagIntervals: Sendable {
  /// Time after which a flag is armed again, in nanoseconds.
  static let interval: Int64 = 3_600 * 1_000_000_000
  /// Flags remembered. While so many are younger than an hour no other is raised: a reviewer has enough.
  static let maximum = 64

  private var raised: [(what: UInt64, at: Timestamp)] = []

  /// True when a flag of this kind for this destination may be raised now; it counts as raised then.
  mutating func admit(_ kind: FlagKind, _ destination: UInt64, at now: Timestamp) -> Bool {
    let what = destination ^ UInt64(kind.signatureID) &* 0x9e37_79b9_7f4a_7c15
    for index in raised.indices where raised[index].what == what {
      guard now < raised[index].at || now.since(raised[index].at) >= Self.interval else { return false }
      raised[index].at = now
      return true
    }
    if raised.count >= Self.maximum { raised.removeAll { now.since($0.at) >= Self.interval } }
    guard raised.count < Self.maximum else { return false }
    raised.append((what, now))
    return true
  }
}
