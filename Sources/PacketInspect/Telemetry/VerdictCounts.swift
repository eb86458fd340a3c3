/// How many packets got which verdict, for which reason: counted at every packet, so in one place without an allocation.
public struct VerdictCounts: Sendable {
  private static let reasons = Reason.allCases
  private var counts = InlineArray<64, UInt64>(repeating: 0)

  /// Nothing counted yet.
  public init() {}

  /// Counts one packet.
  @inline(__always)
  mutating func count(_ action: Action, _ reason: Reason) {
    // 3 actions of 21 places each: a test keeps the number of reasons below that.
    let place = Int(action.rawValue) &* 21 &+ reason.ordinal
    // Through a span: indexing the storage itself may copy all of it.
    var span = counts.mutableSpan
    span[place] &+= 1
  }

  /// Every combination that occurred, with its packets.
  public var all: [(action: Action, reason: Reason, packets: UInt64)] {
    var found: [(action: Action, reason: Reason, packets: UInt64)] = []
    for action: Action in [.accept, .drop, .reject] {
      for reason in Self.reasons {
        let packets = counts[Int(action.rawValue) * 21 + reason.ordinal]
        if packets > 0 { found.append((action, reason, packets)) }
      }
    }
    return found
  }
}

extension Reason {
  /// A small number of its own.
  var ordinal: Int {
    switch self {
    case .allowed: 0
    case .internal: 1
    case .exception: 2
    case .deniedName: 3
    case .deniedAddress: 4
    case .sessionBlocked: 5
    case .deniedByReviewer: 6
    case .categoryDenied: 7
    case .categoryHeld: 8
    case .budgetHeld: 9
    case .evasion: 10
    case .helloIncomplete: 11
    case .malformed: 12
    case .midstream: 13
    case .flowTableFull: 14
    case .pendingAttribution: 15
    case .undecided: 16
    }
  }
}
