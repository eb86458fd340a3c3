extension Inspector {
  /// An event on a flow, with its session and budget.
  func event(_ body: EventBody, on index: Int32, at now: Timestamp) -> Event {
    let flow = flows[index]
    var event = Event(time: now, body: body)
    event.redaction = policy.parts.redactLabels
    event.flow = EventFlow(
      id: flow.id, client: flow.client, clientPort: flow.clientPort, server: flow.server, serverPort: flow.serverPort,
      proto: flow.key.proto)
    attach(flow.session, to: &event)
    return event
  }

  /// Adds a session and its budget to an event.
  func attach(_ session: Int32, to event: inout Event) {
    event.session = EventSession(
      id: sessions[session].id, agentType: sessions[session].agentType, attribution: sessions[session].attribution)
    event.budget = EventBudget(
      used: sessions[session].budget.used, ceiling: sessions[session].budgetPolicy?.destinations)
  }

  /// Adds the session that a resolver asked for.
  func attachAsker(_ session: Int32, to event: inout Event) {
    attach(session, to: &event)
    event.session?.isViaResolver = true
  }

  /// An outcome's destination and verdict, as an event shows them, and for whom a resolver asked.
  func describe(_ outcome: ContactOutcome, in event: inout Event) {
    if let asker = outcome.asker { attachAsker(asker, to: &event) }
    event.destination = outcome.destination
    let action = effective(outcome.verdict.action)
    event.verdict = EventVerdict(
      action: action, reason: outcome.verdict.reason,
      would: action == outcome.verdict.action ? nil : outcome.verdict.action, list: outcome.match)
  }

  /// Raises what a contact gave reason for: flags on the session carry no addresses, flags on a flow do.
  mutating func raiseFlags<Sink: EventSink>(
    _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    raiseShifts(now, &sink)
    let session = outcome.asker ?? flows[index].session
    raiseBudgetFlags(outcome, session, now, &sink)
    raiseBeacon(outcome, session, index, now, &sink)
    if let match = outcome.match, sessions[session].isFirstDenyHit(match) {
      raise(.denyHit, match.summary, match.evidence, outcome, index, now, &sink)
    }
    for hit in outcome.categoryHits { raiseCategoryFlag(hit, outcome, index, now, &sink) }
    if let hidden = outcome.hidden { raiseHidden(hidden, outcome, index, now, &sink) }
    if let destination = outcome.destination, destination.isNew,
      destination.evidence == .sniUnverified || destination.evidence == .hostUnverified
    {
      let server = flows[index].server.description
      raise(
        .nameUnverified,
        "The session claims a name that no trusted resolver gave for \(server); charged to \(destination.key).",
        [FlagEvidence("address", server), FlagEvidence("charged", destination.key)],
        outcome, index, now, &sink)
    }
  }

  /// Raises the flags of shifts of the mix, which are the sessions'.
  mutating func raiseShifts<Sink: EventSink>(_ now: Timestamp, _ sink: inout Sink) {
    guard !pendingShifts.isEmpty else { return }
    let names = policy.parts.categories.names
    for (session, shift) in pendingShifts {
      let reach = policy.parts.mode == .enforce ? sessions[session].mixPolicy?.onShift ?? .flag : .flag
      let summary = shift.summary(agentType: sessions[session].agentType, names: names, reach: reach)
      sessions[session].figures.flags &+= 1
      var event = Event(time: now, body: .alert(flag(.categoryShift, summary, shift.figures(names: names))))
      attach(session, to: &event)
      sink.record(event)
    }
    pendingShifts.removeAll()
  }

  /// Raises a flag on a flow.
  mutating func raise<Sink: EventSink>(
    _ kind: FlagKind, _ summary: String, _ evidence: [FlagEvidence], _ outcome: ContactOutcome, _ index: Int32,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    sessions[outcome.asker ?? flows[index].session].figures.flags &+= 1
    // Made first: an argument that changes the inspector would have the whole of it copied for the call.
    let flag = flag(kind, summary, evidence)
    var event = event(.alert(flag), on: index, at: now)
    describe(outcome, in: &event)
    sink.record(event)
  }

  /// Raises the budget's flags, which are the session's.
  private mutating func raiseBudgetFlags<Sink: EventSink>(
    _ outcome: ContactOutcome, _ session: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard outcome.raisesReached || outcome.raisesWarning, let policy = sessions[session].budgetPolicy else { return }
    let used = sessions[session].budget.used
    let summary: String
    if outcome.raisesReached {
      let rest = policy.onReach == .hold ? "Destinations not yet contacted are held." : "The session goes on."
      summary = "\(used) distinct destinations: the ceiling of \(policy.destinations) is reached. \(rest)"
    } else {
      summary = "\(used) of \(policy.destinations) distinct destinations are used."
    }
    let evidence = [FlagEvidence("used", used), FlagEvidence("ceiling", policy.destinations)]
    sessions[session].figures.flags &+= 1
    let kind: FlagKind = outcome.raisesReached ? .budgetReached : .budgetWarning
    var event = Event(time: now, body: .alert(flag(kind, summary, evidence)))
    attach(session, to: &event)
    event.destination = outcome.destination
    sink.record(event)
  }

  /// Raises the flag of a false source address, once for an address of a session: `session`, which is that of the
  /// true sender where it is known, and need not be the flow's. The address is the client's unless `source` is another.
  mutating func raiseSpoofed<Sink: EventSink>(
    _ index: Int32, _ aspect: String, by session: Int32, source: IPAddress? = nil, _ verdict: Verdict,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    let address = source ?? flows[index].client
    let isFirst = sessions[session].isFirstFlag {
      $0.combine(FlagKind.spoofedSource)
      $0.combine(address)
    }
    guard isFirst else { return }
    sessions[session].figures.flags &+= 1
    let summary =
      "A packet with the source address \(address) came from elsewhere: its \(aspect) is another's."
    let evidence = [FlagEvidence("address", address.description), FlagEvidence("aspect", aspect)]
    let flag = flag(.spoofedSource, summary, evidence)
    var event = event(.alert(flag), on: index, at: now)
    describe(ContactOutcome(verdict: verdict), in: &event)
    attach(session, to: &event)
    sink.record(event)
  }

  /// Raises the flag of a used-up upload budget.
  mutating func raiseUploadFlag<Sink: EventSink>(_ session: Int32, _ now: Timestamp, _ sink: inout Sink) {
    guard let policy = sessions[session].uploadPolicy, sessions[session].uploads.raisesReached(policy) else { return }
    let used = sessions[session].uploads.used(policy.window)
    let rest = policy.onReach == .hold ? "Destinations not yet contacted are held." : "The session goes on."
    let over = policy.window == .day ? "in the last 24 hours" : "over its life"
    let summary =
      "\(used) bytes sent to external destinations \(over): the ceiling of \(policy.bytes) is reached. \(rest)"
    let evidence = [
      FlagEvidence("bytes", Int(clamping: used)), FlagEvidence("ceiling", Int(clamping: policy.bytes)),
    ]
    sessions[session].figures.flags &+= 1
    var event = Event(time: now, body: .alert(flag(.uploadBudget, summary, evidence)))
    attach(session, to: &event)
    sink.record(event)
  }

  /// A flag with a number of its own.
  mutating func flag(_ kind: FlagKind, _ summary: String, _ evidence: [FlagEvidence]) -> ReviewFlag {
    defer { nextFlagID &+= 1 }
    flagCounts[kind, default: 0] &+= 1
    return ReviewFlag(id: nextFlagID, kind: kind, summary: summary, evidence: evidence)
  }

  /// Tells of the first packet of a flow that was refused, or would have been.
  mutating func reportDrop<Sink: EventSink>(
    _ index: Int32, _ outcome: ContactOutcome, length: Int, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard !flows[index].reportedDrop else { return }
    flows[index].reportedDrop = true
    sessions[outcome.asker ?? flows[index].session].figures.refused &+= 1
    var event = event(.drop(length: length), on: index, at: now)
    describe(outcome, in: &event)
    sink.record(event)
  }
}

extension DenyMatch {
  /// One sentence for a reviewer.
  fileprivate var summary: String {
    if reason == .sessionBlocked, let overlay {
      return "The session is blocked by overlay \(overlay.id), and goes on trying."
    }
    if let overlay { return "The session reached for \(entry), which overlay \(overlay.id) denies." }
    return "The session reached for \(entry), which is on the deny-list \(line > 0 ? "\(list), line \(line)" : list)."
  }

  fileprivate var evidence: [FlagEvidence] {
    if let overlay { return [FlagEvidence("overlay", Int(clamping: overlay.id)), FlagEvidence("entry", entry)] }
    return [FlagEvidence("list", list), FlagEvidence("entry", entry), FlagEvidence("line", line)]
  }
}
