/// What judging one contact came to.
struct ContactOutcome {
  var verdict: Verdict
  var match: DenyMatch?
  var destination: EventDestination?
  var raisesWarning = false
  var raisesReached = false
}

extension Inspector {
  /// Judges and charges a contact of a flow: deny-lists by name and address first, then what the destination is and
  /// whether the session's budget admits it (design, sections 5 and 6).
  mutating func charge(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> ContactOutcome {
    let server = flows[index].server
    if let match = denyMatch(name: name, address: server) {
      return ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
    }
    var result = ContactOutcome(verdict: Verdict(.accept, .allowed))
    let session = flows[index].session
    for place in destinations(index, name: name, claim: claim, now) {
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
        sessions[session].budget.withdraw(DestinationKey(server))
        flows[index].chargedAddress = false
      }
      let outcome = contact(session, place.key, place.evidence, now)
      flows[index].isCharged = true
      if case .domain = place.key {} else { flows[index].chargedAddress = name == nil && outcome.isNew }
      result.destination = EventDestination(
        key: place.key.text, evidence: place.evidence, isExternal: true, isNew: outcome.isNew && outcome.admitted)
      result.raisesWarning = result.raisesWarning || outcome.raisesWarning
      result.raisesReached = result.raisesReached || outcome.raisesReached
      result.verdict = Verdict(.accept, .allowed)
      if !outcome.admitted {
        result.verdict = Verdict(.reject, .budgetHeld)
        return result
      }
    }
    flows[index].isCharged = true
    return result
  }

  /// Takes a contact into a session's budget.
  mutating func contact(_ session: Int32, _ key: DestinationKey, _ evidence: Evidence, _ now: Timestamp) -> BudgetOutcome
  {
    sessions[session].budget.contact(
      key, evidence: evidence, policy: sessions[session].budgetPolicy, limit: limits.namesPerSession, at: now)
  }

  /// The first deny-list match of what a packet shows. An exception for the name covers its address as well when a
  /// trusted answer ties the two; otherwise each is judged by itself.
  func denyMatch(name: HostName?, address: IPAddress?) -> DenyMatch? {
    if let name, let match = DenyRule.match(name: name, policy: policy) { return match }
    if let address { return DenyRule.match(address: address, policy: policy) }
    return nil
  }

  private struct Place {
    var key: DestinationKey
    var evidence: Evidence
    var isExternal: Bool
  }

  /// What a flow's destination is. A claimed name is its key only when a trusted resolver's answer gave that name
  /// this address; otherwise the address is.
  private func destinations(_ index: Int32, name: HostName?, claim: Claim?, _ now: Timestamp) -> [Place] {
    let flow = flows[index]
    let server = flow.server
    let serverIsExternal = policy.isExternal(server)
    guard let name, let claim, claim != .publicName, name.count > 0 else {
      return [nameless(flow, serverIsExternal, now)]
    }
    if let literal = addressLiteral(name) {
      // A literal claims an address, so there is nothing to corroborate but that it is this one.
      if literal.canonical == server.canonical { return [nameless(flow, serverIsExternal, now)] }
    } else if memory.corroborates(name, address: server, at: now) {
      let isExternal = serverIsExternal && policy.isExternal(name)
      return [Place(key: DestinationKey(name, registrable: domains), evidence: claim == .sni ? .sni : .host, isExternal: isExternal)]
    }
    let unverified: Evidence = claim == .sni ? .sniUnverified : .hostUnverified
    let claimed = Place(
      key: addressLiteral(name).map { DestinationKey($0) } ?? DestinationKey(name, registrable: domains),
      evidence: unverified,
      isExternal: addressLiteral(name).map { policy.isExternal($0) } ?? policy.isExternal(name))
    if !serverIsExternal {
      // An internal address that is no answer for the name is a proxy or the like: what it is asked to reach counts,
      // or it would hide the session's budget.
      return [claimed]
    }
    let address = Place(key: DestinationKey(server), evidence: unverified, isExternal: true)
    return claim == .tunnelTarget ? [address, claimed] : [address]
  }

  /// A flow that names nobody: the name this session was given its address for, else the address.
  private func nameless(_ flow: FlowState, _ isExternal: Bool, _ now: Timestamp) -> Place {
    if isExternal, let name = memory.latestName(for: flow.server, session: flow.session, at: now),
      policy.isExternal(name)
    {
      return Place(key: DestinationKey(name, registrable: domains), evidence: .dnsAnswer, isExternal: true)
    }
    return Place(key: DestinationKey(flow.server), evidence: .address, isExternal: isExternal)
  }

  /// The address that a claimed name spells, if it is one.
  private func addressLiteral(_ name: HostName) -> IPAddress? {
    let last = name[name.count - 1]
    var hasColon = false
    for index in 0..<name.count where name[index] == 0x3a { hasColon = true }
    guard hasColon || (last >= 0x30 && last <= 0x39) else { return nil }
    return IPAddress(name.text)
  }

  /// One verdict for all that follows in this flow.
  mutating func settle(_ index: Int32, _ verdict: Verdict) {
    flows[index].phase = .decided
    flows[index].action = verdict.action
    flows[index].reason = verdict.reason
    flows[index].epoch = policy.epoch
  }

  /// A flow that was decided under an older policy is judged again, by the name it gave then.
  mutating func judgeAgain<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    var name: HostName?
    var claim: Claim?
    if flows[index].name >= 0 {
      let remembered = names[flows[index].name]
      name = HostName(remembered.bytes.rawSpan)
      claim = remembered.claim
    }
    let reason = flows[index].reason
    if reason == .evasion || reason == .helloIncomplete || reason == .midstream {
      flows[index].epoch = policy.epoch
      return Verdict(effective(flows[index].action), reason)
    }
    let outcome = charge(index, name: name, claim: claim, now)
    settle(index, outcome.verdict)
    raiseFlags(outcome, index, now, &sink)
    if outcome.verdict.action != .accept { reportDrop(index, outcome, length: meta.originalLength, now, &sink) }
    return Verdict(effective(outcome.verdict.action), outcome.verdict.reason)
  }
}
