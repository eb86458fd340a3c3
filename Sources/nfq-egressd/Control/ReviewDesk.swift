import PacketInspect

/// Answers for the review queue, on the control socket's thread: one step after the other, so that two reviewers never
/// decide on the same state.
struct ReviewDesk: Sendable {
  /// Flags that one answer holds: more than anybody reads. `flags` of the item says how many there are.
  static let maximumFlags = 1_000

  let overlays: OverlayDesk
  /// Carries a command out on the packet path; nil when nobody did in time.
  let execute: @Sendable (ControlCommand) -> ControlOutcome?
  /// The flagged sessions of the store, or the one of an id.
  let readCases: @Sendable (String?) throws(StoreFailure) -> [ReviewCase]
  /// Flags of a session later than the one of a number.
  let readFlags: @Sendable (String, UInt64) throws(StoreFailure) -> [RaisedFlag]

  func perform(_ command: ReviewCommand, _ peer: ControlPeer?, at now: Timestamp) throws(ControlError)
    -> ControlResponse
  {
    var response = ControlResponse()
    switch command {
    case .list(let states):
      let found = try cases(nil)
      let byID = Dictionary(found.map { ($0.item.session, $0) }) { first, _ in first }
      response.reviews = ReviewQueue(found.map(\.item)).items(in: states, at: now)
        .compactMap { byID[$0.session] }.map { ControlReview($0, at: now) }
    case .show(let id):
      let one = try one(id)
      describe(one, in: &response, at: now)
      response.flags = try flags(id, after: 0)
      response.steps = one.records.map { ControlReviewStep($0) }
      response.overlays = overlays.overlays(of: id, type: one.agentType)
    case .act(let draft): try act(draft, peer, at: now, &response)
    }
    return response
  }

  private func act(
    _ draft: ReviewDraft, _ peer: ControlPeer?, at now: Timestamp, _ response: inout ControlResponse
  ) throws(ControlError) {
    let found = try one(draft.session)
    var step: ReviewStep
    do throws(ReviewRefusal) {
      let expires = draft.lasts.map { now.advanced(byNanoseconds: $0 * 1_000_000_000) }
      step = try found.item.next(draft.action, seen: draft.seen, at: now, expires: expires)
    } catch {
      response = try refusal(error, draft, found, at: now)
      return
    }
    try carryOut(draft, peer, at: now, &response)
    step.overlay = response.overlay?.id
    let record = ReviewRecord(
      session: draft.session, step: step, author: overlays.signed(draft.author, peer), matter: draft.matter)
    response.kept = overlays.keeper.recordReview(record).rawValue
    describe(found.adding([record]), in: &response, at: now)
  }

  /// What the disposition does beside being written down.
  private func carryOut(
    _ draft: ReviewDraft, _ peer: ControlPeer?, at now: Timestamp, _ response: inout ControlResponse
  ) throws(ControlError) {
    if let overlay = draft.overlay {
      response = try overlays.perform(.add(overlay), peer, at: now)
    } else if let count = draft.destinations {
      switch try outcome(.extend(draft.session, by: count)) {
      case .failed(let error): throw ControlError(error)
      case let done: response = ControlResponse(done)
      }
    } else if draft.action == .resolve(.benign) {
      switch try outcome(.benign(draft.session, draft.author)) {
      case .benign(let session, let contacts):
        response = ControlResponse(.benign(session, contacts: contacts))
        _ = overlays.recordBenign(session, contacts, draft.author, peer, at: now)
      // There is nothing to learn from it: it is benign all the same.
      default: response.contacts = 0
      }
    }
  }

  private func outcome(_ command: ControlCommand) throws(ControlError) -> ControlOutcome {
    guard let outcome = execute(command) else { throw .busy }
    return outcome
  }

  /// Says what has changed since the reviewer looked: later flags, and steps of others.
  private func refusal(
    _ refusal: ReviewRefusal, _ draft: ReviewDraft, _ found: ReviewCase, at now: Timestamp
  ) throws(ControlError) -> ControlResponse {
    var response: ControlResponse
    switch refusal {
    case .alreadyResolved:
      response = ControlResponse(
        ControlError(.alreadyResolved, "session \(quoted(draft.session)) is resolved; nothing was done"))
    case .changed:
      response = ControlResponse(
        ControlError(
          .changed,
          "the item is at \(found.item.version.text), and \(draft.seen.text) was seen; nothing was done, look at what is new"
        ))
      response.flags = try flags(draft.session, after: draft.seen.flag)
      response.steps = found.records.filter { $0.step.number > draft.seen.step }.map { ControlReviewStep($0) }
    }
    describe(found, in: &response, at: now)
    return response
  }

  private func describe(_ one: ReviewCase, in response: inout ControlResponse, at now: Timestamp) {
    response.review = ControlReview(one, at: now)
  }

  private func one(_ id: String) throws(ControlError) -> ReviewCase {
    guard let found = try cases(id).first else {
      throw ControlError(
        .notFlagged, "no flag of session \(quoted(id)) is in the store; 'review list' shows who has some")
    }
    return found
  }

  /// What is on its way to the disk is read first: it may arrive in between, and counts once.
  private func cases(_ id: String?) throws(ControlError) -> [ReviewCase] {
    let unwritten = overlays.keeper.unwrittenReviews
    let stored = try read { () throws(StoreFailure) in try readCases(id) }
    return unwritten.isEmpty ? stored : stored.map { $0.adding(unwritten) }
  }

  private func flags(_ id: String, after number: UInt64) throws(ControlError) -> [ControlFlag] {
    try read { () throws(StoreFailure) in try readFlags(id, number) }.map { ControlFlag($0) }
  }

  private func read<T>(_ body: () throws(StoreFailure) -> T) throws(ControlError) -> T {
    do throws(StoreFailure) {
      return try body()
    } catch {
      throw .unreadable(error)
    }
  }
}
