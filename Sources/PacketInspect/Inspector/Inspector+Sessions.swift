extension Inspector {
  /// Changes handed to the store in one tick: enough for any real rate, little enough not to delay a verdict.
  private static var changesPerTick: Int { 16_384 }
  /// Time between two such handovers, in nanoseconds: with the writer's own interval less than a second.
  private static var stateInterval: Int64 { 250_000_000 }

  /// Takes sessions up from the store, before the first packet or as soon as the store can be read.
  public mutating func takeUp(_ stored: [StoredSession]) {
    sessions.takeUp(stored)
    let policy = policy
    sessions.categorize { key in
      guard case .domain(let text) = key, let name = HostName(text) else { return .unknown }
      return policy.category(of: name)
    }
  }

  /// Registers a session for an orchestrator. Idempotent.
  public mutating func startSession(
    _ registration: SessionRegistration, at now: Timestamp
  ) throws(SessionCommandError) -> SessionOverview {
    let index = try sessions.register(registration, policy: policy, at: now)
    return sessions[index].overview
  }

  /// Ends a session; its last event tells what it did.
  public mutating func endSession<Sink: EventSink>(
    _ id: String, at now: Timestamp, into sink: inout Sink
  ) throws(SessionCommandError) -> SessionOverview {
    guard let index = sessions.index(of: id) else { throw .unknownSession(id) }
    endSession(index, reason: "explicit", now, &sink)
    return sessions[index].overview
  }

  /// Ends the session of a container or control group that is gone, if it lives.
  public mutating func endGoneSession<Sink: EventSink>(
    _ id: String, reason: String, at now: Timestamp, into sink: inout Sink
  ) {
    guard let index = sessions.index(of: id), sessions.registration(of: id) == nil else { return }
    endSession(index, reason: reason, now, &sink)
  }

  /// Forgets the flows of an address that changed hands: what follows belongs to another session.
  public mutating func forgetFlows<Sink: EventSink>(
    of address: IPAddress, at now: Timestamp, into sink: inout Sink
  ) {
    let address = address.canonical
    for flow in flows.indices(where: { $0.client.canonical == address }) { end(flow, now, &sink) }
  }

  /// Raises a session's ceiling.
  public mutating func extendBudget(of id: String, by count: Int) throws(SessionCommandError) -> SessionOverview {
    guard let index = sessions.index(of: id) else { throw .unknownSession(id) }
    sessions.extend(index, by: count, policy: policy)
    return sessions[index].overview
  }

  /// A reviewer has looked at a session's shift of mix: new destinations are no longer held for it, and its mix as it is
  /// now is what further shifts are told against.
  /// `wasHeld` says whether anything was.
  @discardableResult
  public mutating func releaseMix(
    of id: String
  ) throws(SessionCommandError) -> (overview: SessionOverview, wasHeld: Bool) {
    guard let index = sessions.index(of: id) else { throw .unknownSession(id) }
    sessions.refresh(index, policy)
    let wasHeld = sessions.releaseMix(index)
    return (sessions[index].overview, wasHeld)
  }

  /// A session's contacts as its mix counts them, by category name: of one that lives, or ended lately. For a reviewer
  /// who found it benign.
  public mutating func mixContacts(
    of id: String
  ) throws(SessionCommandError) -> (overview: SessionOverview, contacts: [String: UInt64]) {
    let found: EndedSessions.Member
    if let index = sessions.index(of: id) {
      sessions.refresh(index, policy)
      found = EndedSessions.Member(overview: sessions[index].overview, contacts: sessions[index].contactsInMix)
    } else if let ended = sessions.ended.latest(id) {
      found = ended
    } else {
      throw .unknownSession(id)
    }
    guard policy.agentType(found.overview.agentType).mix != nil else { throw .noBaseline(found.overview.agentType) }
    guard found.contacts.reduce(0, &+) >= UInt64(MixBaseline.leastContacts) else { throw .noContacts(id) }
    let names = policy.parts.categories.names
    var contacts: [String: UInt64] = [:]
    for (number, count) in found.contacts.enumerated() where count > 0 {
      contacts[names[Category(rawValue: UInt8(truncatingIfNeeded: number))], default: 0] &+= count
    }
    return (found.overview, contacts)
  }

  /// All sessions that live.
  public func sessionOverviews() -> [SessionOverview] { sessions.indices.map { sessions[$0].overview } }

  /// What the sessions that live come to, by agent type, in the types' order.
  public func typeFigures() -> [TypeFigures] {
    var found: [String: TypeFigures] = [:]
    for index in sessions.indices {
      let type = sessions[index].agentType
      found[type, default: TypeFigures(agentType: type)].add(sessions[index])
    }
    return found.values.sorted { $0.agentType < $1.agentType }
  }

  /// Gives every session the budgets of the present policy, which otherwise it gets at its next packet: for a look at
  /// them.
  public mutating func refreshSessions() {
    for index in Array(sessions.indices) { sessions.refresh(index, policy) }
  }

  /// One session with its destinations.
  public mutating func sessionDetail(_ id: String) throws(SessionCommandError) -> SessionDetail {
    guard let index = sessions.index(of: id) else { throw .unknownSession(id) }
    sessions.refresh(index, policy)
    let destinations = sessions[index].budget.destinations.sorted { $0.value.lastSeen > $1.value.lastSeen }
    return SessionDetail(
      overview: sessions[index].overview, destinations: destinations.map { (key: $0.key, record: $0.value) },
      categoryNames: policy.parts.categories.names, sources: sessions.registration(of: id)?.sources ?? [],
      cgroups: sessions.registration(of: id)?.cgroups ?? [],
      mix: sessions[index].mixOverview(policy.parts.categories.names))
  }

  /// Hands over what is not stored yet at once, not at the next tick.
  public mutating func handOverState<Sink: EventSink>(into sink: inout Sink) {
    sessions.takeUnsaved(limit: Self.changesPerTick, names: policy.parts.categories.names) { sink.record($0) }
  }

  /// Offers everything to the store again: it lost changes, or is a new one.
  public mutating func storeEverything() { sessions.markAllUnsaved() }

  /// Ends what has been idle too long, and hands over what is to be stored.
  mutating func tickSessions<Sink: EventSink>(_ now: Timestamp, _ sink: inout Sink) {
    if let idleEnd = policy.parts.idleEnd, now.since(lastIdleLook) >= min(idleEnd, 10_000_000_000) || now < lastIdleLook
    {
      lastIdleLook = now
      for index in sessions.idle(since: now.advanced(byNanoseconds: -idleEnd)) {
        endSession(index, reason: "idle", now, &sink)
      }
    }
    guard now.since(lastStateLook) >= Self.stateInterval || now < lastStateLook else { return }
    lastStateLook = now
    // Every contact's own path raises it; a shift must not wait should one ever forget.
    raiseShifts(now, &sink)
    for index in Array(sessions.indices) where sessions[index].uploadPolicy != nil {
      raiseUploadFlag(index, now, &sink)
    }
    guard sink.wantsState else { return }
    sessions.takeUnsaved(limit: Self.changesPerTick, names: policy.parts.categories.names) { sink.record($0) }
  }

  /// Hands over all that is to be stored: there will be no other tick.
  mutating func handOverState<Sink: EventSink>(_ sink: inout Sink) {
    guard sink.wantsState else { return }
    while sessions.hasUnsaved {
      sessions.takeUnsaved(limit: Self.changesPerTick, names: policy.parts.categories.names) { sink.record($0) }
    }
  }

  private mutating func endSession<Sink: EventSink>(
    _ index: Int32, reason: String, _ now: Timestamp, _ sink: inout Sink
  ) {
    // Flows that go on are attributed anew at their next packet: to nobody's session any more.
    // Most sessions that end have none, and the table of flows is long.
    if sessions[index].liveFlows > 0 {
      for flow in flows.indices(where: { $0.session == index }) { end(flow, now, &sink) }
    }
    sessions.end(index, at: now)
    let session = sessions[index]
    var event = Event(
      time: now,
      body: .stats(
        kind: "session-end",
        figures: [
          ("reason", .text(reason)),
          ("seconds", .count(UInt64(max(0, now.since(session.started) / 1_000_000_000)))),
          ("destinations", .count(UInt64(session.budget.used))), ("flows", .count(session.figures.flows)),
          ("bytes_out", .count(session.figures.bytesOut)), ("bytes_in", .count(session.figures.bytesIn)),
          ("refused", .count(session.figures.refused)), ("flags", .count(session.figures.flags)),
          ("categories", .categories(session.categoryFigures(policy.parts.categories.names))),
        ]))
    attach(index, to: &event)
    sink.record(event)
  }
}
