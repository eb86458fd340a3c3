/// A category whose action is more than `accept`, met by a contact.
struct CategoryHit {
  /// The category whose action it is: that of the destination, or of the name which it claims.
  var category: Category
  /// The action.
  var action: CategoryAction
  /// What the contact counts as.
  var key: DestinationKey
  /// The entry that gave the name its category; nil for `unknown`.
  var match: CategoryMatch?
  /// Why the contact is refused; nil when it goes on.
  var refusal: Reason?
}

extension Inspector {
  /// What the session's type says of the category of a destination (design, section 6); nil when that is nothing.
  ///
  /// A claim that nothing corroborates has the category `unknown`, or a false name would buy a better one. The action
  /// of the name's own category counts besides, and the stricter of both decides: whoever claims a name of a refused
  /// category means to reach it, and nobody gains by claiming it falsely.
  mutating func categoryHit(_ session: Int32, _ place: Place, name: HostName?, claim: Claim?) -> CategoryHit? {
    let actions = sessions.categoryActions(session, policy)
    guard !actions.isEmpty else { return nil }
    var category = place.category
    var isClaimed = place.isByName
    if !isClaimed, let name, claim != .publicName, place.evidence == .sniUnverified || place.evidence == .hostUnverified
    {
      let claimed = policy.category(of: name)
      if actions[claimed] >= actions[category] {
        category = claimed
        isClaimed = true
      }
    }
    let action = actions[category]
    guard action > .accept, !isExcepted(session, place, name: isClaimed ? name : nil) else { return nil }
    var hit = CategoryHit(category: category, action: action, key: place.key)
    if isClaimed, let name { hit.match = policy.parts.categories.match(name) }
    switch action {
    case .reject: hit.refusal = .categoryDenied
    case .hold: hit.refusal = sessions[session].budget.contains(place.key, in: category) ? nil : .categoryHeld
    case .accept, .flag: break
    }
    return hit
  }

  /// An exception comes before category actions, as it comes before deny-lists.
  private func isExcepted(_ session: Int32, _ place: Place, name: HostName?) -> Bool {
    let overlays = sessions[session].overlays
    if let name, DenyRule.isExcepted(name, policy: policy, overlays: overlays) { return true }
    return isExcepted(session, place.key)
  }

  /// True for a destination that an exception covers.
  func isExcepted(_ session: Int32, _ key: DestinationKey) -> Bool {
    let overlays = sessions[session].overlays
    switch key {
    case .domain(let text):
      return HostName(text).map { DenyRule.isExcepted($0, policy: policy, overlays: overlays) } ?? false
    case .v4(let value): return DenyRule.isExcepted(IPAddress(v4: value), policy: policy, overlays: overlays)
    case .v6(let high): return DenyRule.isExcepted(IPAddress(v6High: high, low: 0), policy: policy, overlays: overlays)
    }
  }

  /// The denial of a name wherever it stands, by a list or by its category: for names that are no destination of their
  /// own, or were judged before. Categories in `hold` refuse only what is new.
  mutating func denial(of name: HostName, session: Int32) -> ContactOutcome? {
    if let match = denyMatch(session, name: name) {
      return ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
    }
    guard name.count > 0, !sessions.categoryActions(session, policy).isEmpty, policy.isExternal(name) else {
      return nil
    }
    let category = policy.category(of: name)
    let place = Place(
      key: destinationKey(name), evidence: .hostUnverified, isExternal: true, category: category, isByName: true)
    guard let hit = categoryHit(session, place, name: name, claim: nil), hit.action == .reject else { return nil }
    var outcome = ContactOutcome(verdict: Verdict(.reject, .categoryDenied))
    outcome.categoryHits = [hit]
    return outcome
  }

  /// The denial of an accepted flow by a policy that came after it. What a category in `hold` was contacted before
  /// goes on; what a name was verified by may be over by now, and is not asked for again.
  mutating func deniedAgain(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> ContactOutcome? {
    if let match = denyMatch(index, name: name, claim: claim, now) {
      return ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
    }
    let session = flows[index].session
    if claim != .publicName, flows[index].category != .none, let name, let outcome = denial(of: name, session: session)
    {
      return outcome
    }
    guard case .fixed(let category) = flows[index].category,
      sessions.categoryActions(session, policy)[category] == .reject
    else { return nil }
    let key = DestinationKey(flows[index].server)
    let place = Place(key: key, evidence: .address, isExternal: true, category: category)
    guard let hit = categoryHit(session, place, name: nil, claim: nil) else { return nil }
    var outcome = ContactOutcome(verdict: Verdict(.reject, .categoryDenied))
    outcome.categoryHits = [hit]
    return outcome
  }

  /// Raises the flag of a category, once for a destination of a session.
  mutating func raiseCategoryFlag<Sink: EventSink>(
    _ hit: CategoryHit, _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    let session = outcome.asker ?? flows[index].session
    let isFirst = sessions[session].isFirstFlag {
      $0.combine(FlagKind.categoryFlagged)
      $0.combine(hit.category)
      $0.combine(hit.key)
    }
    guard isFirst else { return }
    let category = policy.name(of: hit.category)
    let key = hit.key.text
    let what: String
    switch hit.action {
    case .reject: what = "is rejected for its agent type"
    case .hold where hit.refusal != nil: what = "is held for its agent type: it had not been contacted"
    default: what = "is flagged for its agent type"
    }
    var evidence = [
      FlagEvidence("category", category), FlagEvidence("action", hit.action.name), FlagEvidence("charged", key),
    ]
    if let match = hit.match {
      evidence += [
        FlagEvidence("list", match.source), FlagEvidence("entry", match.entry), FlagEvidence("line", match.line),
      ]
    }
    raise(
      .categoryFlagged, "The session reached for \(hit.match?.entry ?? key), whose category \(category) \(what).",
      evidence, outcome, index, now, &sink)
  }
}
