import PacketInspect

/// A reviewer's step with its item, as it is written down for good.
struct ReviewRecord: Sendable, Equatable {
  var session: String
  var step: ReviewStep
  var author: OverlayAuthor
  /// What was denied and for whom, or by how much the budget was extended; empty for the rest.
  var matter = ""

  /// For the outbox. It is about no overlay in force: the number 0 is none's.
  var change: OverlayChange {
    let overlay = Overlay(id: 0, kind: .block, scope: .session(session), made: step.at)
    return OverlayChange(action: step.action.change, overlay: overlay, at: step.at, author: author, review: self)
  }

  /// What its event tells beside who and why.
  var figures: [(name: String, value: StatValue)] {
    var result: [(name: String, value: StatValue)] = [("flag", .count(step.flag))]
    if case .resolve(let disposition) = step.action { result.append(("disposition", .text(disposition.rawValue))) }
    if let overlay = step.overlay { result.append(("overlay", .count(overlay))) }
    if !matter.isEmpty { result.append(("subject", .text(matter))) }
    if let expires = step.expires { result.append(("expires", .text(expires.eveText))) }
    return result
  }
}

extension ReviewAction {
  fileprivate var change: OverlayChange.Action {
    switch self {
    case .acknowledge: .acknowledged
    case .resolve: .resolved
    }
  }
}

/// A flagged session with all that is written of its review.
struct ReviewCase: Sendable, Equatable {
  /// Nil while the store does not have the session: it may be written after its first flag.
  let agentType: String?
  /// Oldest first.
  let records: [ReviewRecord]
  let item: ReviewItem

  /// With records in any order; one that is met twice counts once.
  init(session: String, agentType: String?, tallies: [ReviewTally], records: [ReviewRecord]) {
    self.agentType = agentType
    let byNumber = Dictionary(records.map { ($0.step.number, $0) }) { first, _ in first }
    self.records = byNumber.values.sorted { $0.step.number < $1.step.number }
    item = ReviewItem(session: session, tallies: tallies, steps: self.records.map(\.step))
  }

  /// With records that are on their way to the disk.
  func adding(_ unwritten: [ReviewRecord]) -> ReviewCase {
    let mine = unwritten.filter { $0.session == item.session }
    guard !mine.isEmpty else { return self }
    return ReviewCase(
      session: item.session, agentType: agentType, tallies: item.tallies, records: records + mine)
  }
}
