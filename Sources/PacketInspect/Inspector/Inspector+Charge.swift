/// What judging one contact came to.
struct ContactOutcome {
  var verdict: Verdict
  var match: DenyMatch?
  var destination: EventDestination?
  /// The category of `destination`; nil for what is not external.
  var category: Category?
  /// What the agent type's category actions say of it.
  var categoryHits: [CategoryHit] = []
  var raisesWarning = false
  var raisesReached = false
  /// What speaks for names being looked up where nobody sees it.
  var hidden: HiddenResolution?
  /// The session that a resolver on this host asked for; nil where the flow's own session is meant.
  var asker: Int32?
  /// Regular contacts of the destination.
  var beacon: BeaconFinding?

  /// Adds what a contact gave reason for.
  mutating func take(_ outcome: BudgetOutcome) {
    raisesReached = raisesReached || outcome.raisesReached
    raisesWarning = raisesWarning || outcome.raisesWarning
    beacon = beacon ?? outcome.beacon
  }
}

extension Inspector {
  /// Judges and charges a contact of a flow: deny-lists by name and address first, then what the destination is and
  /// whether the session's budget admits it (design, sections 5 and 6).
  mutating func charge(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> ContactOutcome {
    let server = flows[index].server
    if let match = denyMatch(index, name: name, claim: claim, now) {
      return ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
    }
    var result = ContactOutcome(verdict: Verdict(.accept, .allowed))
    let session = flows[index].session
    let places = destinations(index, name: name, claim: claim, now)
    // All of them before the first is charged: a refused contact costs nothing.
    for number in places.indices where places[number].isExternal {
      let place = places[number]
      guard let hit = categoryHit(session, place, name: name, claim: claim) else { continue }
      result.categoryHits.append(hit)
      guard let reason = hit.refusal else { continue }
      result.verdict = Verdict(.reject, reason)
      result.category = place.category
      result.destination = EventDestination(
        key: place.key.text, evidence: place.evidence, isExternal: true, isNew: false,
        category: policy.name(of: place.category))
      return result
    }
    for number in places.indices {
      let place = places[number]
      guard place.isExternal else {
        if result.destination == nil {
          result.destination = EventDestination(
            key: place.key.text, evidence: place.evidence, isExternal: false, isNew: false)
          result.verdict.reason = .internal
        }
        continue
      }
      if flows[index].chargedAddress, place.key != DestinationKey(server) {
        // The name came after the flow was charged as nameless.
        sessions.withdraw(session, DestinationKey(server))
        flows[index].chargedAddress = false
      }
      // A clock is set again and again: that says nothing of what the agent does.
      let isClock = flows[index].traffic.proto == .ntp
      var outcome = contact(session, place.key, place.evidence, place.category, countsInMix: !isClock, now)
      if isClock { outcome.beacon = nil }
      flows[index].isCharged = true
      flows[index].category = place.isByName ? .byName : .fixed(place.category)
      noteDestination(index, place.key, place.category)
      if case .domain = place.key {} else { flows[index].chargedAddress = name == nil && outcome.isNew }
      result.destination = EventDestination(
        key: place.key.text, evidence: place.evidence, isExternal: true, isNew: outcome.isNew && outcome.admitted,
        category: policy.name(of: place.category))
      result.category = place.category
      result.take(outcome)
      result.verdict = Verdict(.accept, .allowed)
      if !outcome.admitted {
        result.verdict = Verdict(.reject, outcome.refusal)
        return result
      }
    }
    flows[index].isCharged = true
    return result
  }

  /// Takes a contact into a session's budget.
  mutating func contact(
    _ session: Int32, _ key: DestinationKey, _ evidence: Evidence, _ category: Category, countsInMix: Bool = true,
    _ now: Timestamp
  ) -> BudgetOutcome {
    sessions.markUnsaved(session)
    sessions.refresh(session, policy)
    if sessions.isHeldByUploads(session), !sessions[session].budget.contains(key) {
      return BudgetOutcome(admitted: false, isNew: true, raisesWarning: false, raisesReached: false)
    }
    if sessions.isHeldByMix(session), let outcome = heldByMix(session, key, category) { return outcome }
    var outcome = sessions.contact(session, key, evidence, category, limit: limits.namesPerSession, at: now)
    if outcome.admitted, countsInMix, let gap = sessions.mixGap(session),
      outcome.previous.map({ now.since($0) >= gap }) ?? true, let shift = sessions.countContact(session, category, key)
    {
      pendingShifts.append((session, shift))
    }
    if outcome.isNew, outcome.admitted { counters.newDestinations &+= 1 }
    if outcome.previous != nil {
      outcome.beacon = regularContact(session, key.tag, outcome.previous, isLookUp: evidence == .dnsQuery, now)
    }
    return outcome
  }

  /// Whether the shift of a session's mix refuses a contact (docs/detection.md). What a reviewer or the file excepts is
  /// not refused.
  private func heldByMix(_ session: Int32, _ key: DestinationKey, _ category: Category) -> BudgetOutcome? {
    let isNew = !sessions[session].budget.contains(key)
    let isRejected =
      sessions[session].mixPolicy?.onShift == .reject
      && sessions[session].mix?.risen.contains(CategorySet(category)) == true
    guard isNew || isRejected, !isExcepted(session, key) else { return nil }
    return BudgetOutcome(
      admitted: false, isNew: isNew, raisesWarning: false, raisesReached: false,
      refusal: isRejected ? .categoryDenied : .categoryHeld)
  }

  /// What speaks against a flow by what it shows: the name it claims, then its server's address.
  func denyMatch(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> DenyMatch? {
    if let name, let match = denyMatch(flows[index].session, name: name) { return match }
    guard let match = denyMatch(flows[index].session, address: flows[index].server) else { return nil }
    if match.reason == .sessionBlocked { return match }
    return isExcepted(index, name: claim == .publicName ? nil : name, now) ? nil : match
  }

  /// What speaks against a name for a session.
  func denyMatch(_ session: Int32, name: HostName) -> DenyMatch? {
    DenyRule.match(name: name, policy: policy, overlays: sessions[session].overlays)
  }

  /// What speaks against an address for a session.
  func denyMatch(_ session: Int32, address: IPAddress) -> DenyMatch? {
    DenyRule.match(address: address, policy: policy, overlays: sessions[session].overlays)
  }

  /// True when an exception for a name covers the flow's address too: a trusted resolver's answer ties the two. As
  /// long as the flow has named nobody, the name that its session got the address for counts.
  func isExcepted(_ index: Int32, name: HostName?, _ now: Timestamp) -> Bool {
    let overlays = sessions[flows[index].session].overlays
    guard !policy.parts.exceptedDomains.isEmpty || overlays?.hasExceptions == true else { return false }
    let server = flows[index].server
    if let name {
      return DenyRule.isExcepted(name, policy: policy, overlays: overlays)
        && memory.corroborates(name, address: server, at: answerTime(index, now))
    }
    let known = memory.latestName(for: server, session: flows[index].session, at: now)
    return known.map { DenyRule.isExcepted($0, policy: policy, overlays: overlays) } ?? false
  }

  /// A destination that a contact is charged to.
  struct Place {
    var key: DestinationKey
    var evidence: Evidence
    var isExternal: Bool
    var category = Category.unknown
    /// True when the category is that of the name which the flow claims.
    var isByName = false
  }

  /// One destination, or two: without an array, since nearly every contact has one.
  private struct Places {
    private let first: Place
    private let second: Place?

    init(_ first: Place, _ second: Place? = nil) {
      self.first = first
      self.second = second
    }

    var indices: Range<Int> { 0..<(second == nil ? 1 : 2) }

    subscript(_ number: Int) -> Place { number > 0 ? second ?? first : first }
  }

  /// What a flow's destination is. A claimed name is its key only when a trusted resolver's answer gave that name
  /// this address; otherwise the address is.
  private mutating func destinations(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> Places {
    let flow = flows[index]
    let server = flow.server
    let serverIsExternal = policy.isExternal(server)
    if isTrustedResolver(flow) {
      return Places(Place(key: DestinationKey(server), evidence: .address, isExternal: false))
    }
    guard let name, let claim, claim != .publicName, name.count > 0 else {
      return Places(nameless(flow, serverIsExternal, now))
    }
    if let literal = addressLiteral(name) {
      // A literal claims an address, so there is nothing to corroborate but that it is this one.
      if literal.canonical == server.canonical { return Places(nameless(flow, serverIsExternal, now)) }
    } else if memory.corroborates(name, address: server, at: answerTime(index, now)) {
      let isExternal = serverIsExternal && policy.isExternal(name)
      return Places(
        Place(
          key: destinationKey(name), evidence: claim.corroborated, isExternal: isExternal,
          category: policy.category(of: name), isByName: true))
    }
    let unverified: Evidence = claim.unverified
    let claimed = Place(
      key: addressLiteral(name).map { DestinationKey($0) } ?? destinationKey(name),
      evidence: unverified,
      isExternal: addressLiteral(name).map { policy.isExternal($0) } ?? policy.isExternal(name))
    if !serverIsExternal {
      // An internal address that is no answer for the name is a proxy or the like: what it is asked to reach counts,
      // or it would hide the session's budget.
      return Places(claimed)
    }
    // Towards a proxy the claim is not about the server, which is a destination of its own.
    if claim == .tunnelTarget || claim == .tunnelSNI { return Places(nameless(flow, serverIsExternal, now), claimed) }
    return Places(Place(key: DestinationKey(server), evidence: unverified, isExternal: true))
  }

  /// True for a flow to a trusted resolver's DNS: itself no destination (design, section 6). Another service on its
  /// address is one.
  private func isTrustedResolver(_ flow: FlowState) -> Bool {
    (flow.serverPort == 53 || flow.serverPort == 853) && policy.parts.trustedResolvers.contains(flow.server.canonical)
  }

  /// A flow that names nobody: the name this session was given its address for, else the address.
  private mutating func nameless(_ flow: FlowState, _ isExternal: Bool, _ now: Timestamp) -> Place {
    if isExternal, let name = memory.latestName(for: flow.server, session: flow.session, at: now),
      policy.isExternal(name)
    {
      return Place(
        key: destinationKey(name), evidence: .dnsAnswer, isExternal: true, category: policy.category(of: name))
    }
    return Place(key: DestinationKey(flow.server), evidence: .address, isExternal: isExternal)
  }

  /// The address that a claimed name spells, if it is one.
  func addressLiteral(_ name: HostName) -> IPAddress? { IPAddress(name) }

  /// One verdict for all that follows in this flow.
  mutating func settle(_ index: Int32, _ verdict: Verdict) {
    flows[index].phase = .decided
    flows[index].action = verdict.action
    flows[index].reason = verdict.reason
    flows[index].epoch = policy.epoch
  }

  /// A flow that was judged under an older policy is judged again, by the name it gave then. Nil when it goes on as
  /// before: what it was charged with stays, although the answer that corroborated its name may be over by now.
  mutating func judgeAgain<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    flows[index].epoch = policy.epoch
    var name: HostName?
    var claim: Claim?
    if flows[index].name >= 0 {
      let remembered = names[flows[index].name]
      name = HostName(remembered.bytes.rawSpan)
      claim = remembered.claim
    }
    if flows[index].action == .accept {
      guard let outcome = deniedConnection(index) ?? deniedAgain(index, name: name, claim: claim, now) else {
        return nil
      }
      flows[index].reportedDrop = false
      return refuse(index, outcome, meta, now, &sink)
    }
    let reason = flows[index].reason
    if reason == .evasion || reason == .helloIncomplete || reason == .midstream { return nil }
    let outcome = deniedConnection(index) ?? charge(index, name: name, claim: claim, now)
    settle(index, outcome.verdict)
    raiseFlags(outcome, index, now, &sink)
    if outcome.verdict.action != .accept {
      reportDrop(index, outcome, length: meta.originalLength, now, &sink)
    } else if flows[index].key.proto == IPProtocol.tcp.rawValue {
      // Its bytes were not followed while it was refused: they are searched from here on.
      flows[index].phase = .watched
      flows[index].isMidstream = true
    } else if flows[index].key.proto == IPProtocol.udp.rawValue {
      // What its datagrams ask is judged one by one.
      flows[index].phase = .watched
    }
    return nil
  }
}
