import PacketInspect

extension OverlayReader {
  /// The states that a list is asked for; those that want somebody's attention where it says nothing.
  func states(_ request: ControlRequest) throws(ControlError) -> Set<ReviewState> {
    guard let word = request.state else { return [.open, .acknowledged] }
    if word == "all" { return Set(ReviewState.allCases) }
    guard let state = ReviewState(rawValue: word) else {
      throw bad("'state' must be one of \(ReviewState.allCases.map(\.rawValue).joined(separator: ", ")), all")
    }
    return [state]
  }

  /// A step with a flagged session: every field belongs to a disposition, and to no other.
  func review(_ id: String, _ request: ControlRequest) throws(ControlError) -> ReviewDraft {
    guard let text = request.seen, let seen = ReviewVersion(text) else {
      throw bad("'seen' must be the 'version' of the item that the reviewer saw, such as 1887436800000000.2")
    }
    var draft = ReviewDraft(session: id, seen: seen, action: .acknowledge, author: try author(request))
    switch request.action {
    case "acknowledge":
      guard request.disposition == nil, request.lasts == nil else {
        throw bad("'disposition' and 'lasts' belong to the action resolve")
      }
    case "resolve":
      guard let disposition = request.disposition.flatMap({ ReviewDisposition(rawValue: $0) }) else {
        let words = ReviewDisposition.allCases.map(\.rawValue).joined(separator: ", ")
        throw bad("'disposition' must be one of \(words)")
      }
      draft.action = .resolve(disposition)
      draft.lasts = try lasts(request)
    default: throw bad("'action' must be acknowledge or resolve")
    }
    if draft.action == .resolve(.extend) {
      guard let count = request.destinations, (1...ControlProtocol.maximumExtension).contains(count) else {
        throw bad("'destinations' must be a number from 1 to \(ControlProtocol.maximumExtension)")
      }
      draft.destinations = count
    } else if request.destinations != nil {
      throw bad("'destinations' belongs to the disposition extend")
    }
    if draft.action == .resolve(.deny) {
      var denial = request
      denial.kind = OverlayKind.deny.rawValue
      denial.scope = request.scope ?? "session:\(id)"
      denial.destinations = nil
      draft.overlay = try self.draft(denial)
    } else if request.subject != nil || request.scope != nil {
      throw bad("'subject' and 'scope' belong to the disposition deny")
    }
    if draft.action == .resolve(.block) { draft.overlay = try block(id, request) }
    return draft
  }
}
