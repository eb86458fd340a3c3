import PacketInspect

/// A request that was found sound: what the queue's thread carries out.
enum ControlCommand: Sendable, Equatable {
  case start(SessionRegistration)
  case end(String)
  /// All sessions, or those of one agent type.
  case list(agentType: String?)
  case show(String)
  /// How queue and tables are. Answered by the `ControlService`, not on the queue's thread.
  case status
  case extend(String, by: Int)
  /// A reviewer has looked at a session's shift of mix; who and why is for the record.
  case release(String, OverlayAuthor)
  /// A reviewer found a session benign; who and why is for the record.
  case benign(String, OverlayAuthor)
  /// Whether a session lives. What was put into the policy before is in force when it is answered.
  case settle(String)
  /// What sessions come to by agent type: for metrics, not spoken on the socket.
  case types
  /// Carried out by the `OverlayDesk`, not on the queue's thread.
  case overlay(OverlayCommand)
  /// Carried out by the `ReviewDesk`, likewise.
  case review(ReviewCommand)
}

/// What came of it, as plain values: made on the queue's thread, written out elsewhere.
enum ControlOutcome: Sendable {
  case session(SessionOverview)
  case sessions([SessionOverview])
  case detail(SessionDetail)
  case lives(Bool)
  case types([TypeFigures])
  case released(SessionOverview, wasHeld: Bool)
  /// Contacts by category name.
  case benign(SessionOverview, contacts: [String: UInt64])
  case failed(SessionCommandError)
}

extension ControlCommand {
  /// The session whose registration the command may change.
  var sessionID: String? {
    switch self {
    case .start(let registration): registration.id
    case .end(let id): id
    case .list, .show, .status, .extend, .release, .benign, .settle, .types, .overlay, .review: nil
    }
  }

  /// Carries it out. On the thread that owns the inspector.
  func execute<Domains: RegistrableDomains & Sendable, Sink: EventSink>(
    on inspector: inout Inspector<Domains>, at now: Timestamp, into sink: inout Sink
  ) -> ControlOutcome {
    do throws(SessionCommandError) {
      switch self {
      case .start(let registration): return .session(try inspector.startSession(registration, at: now))
      case .end(let id): return .session(try inspector.endSession(id, at: now, into: &sink))
      case .list(let type):
        inspector.refreshSessions()
        return .sessions(inspector.sessionOverviews().filter { type == nil || $0.agentType == type })
      case .show(let id): return .detail(try inspector.sessionDetail(id))
      case .extend(let id, let count): return .session(try inspector.extendBudget(of: id, by: count))
      case .release(let id, _):
        let released = try inspector.releaseMix(of: id)
        return .released(released.overview, wasHeld: released.wasHeld)
      case .benign(let id, _):
        let found = try inspector.mixContacts(of: id)
        return .benign(found.overview, contacts: found.contacts)
      case .settle(let id): return .lives(inspector.sessions.index(of: id) != nil)
      case .types:
        inspector.refreshSessions()
        return .types(inspector.typeFigures())
      case .overlay, .review, .status: return .lives(false)
      }
    } catch {
      return .failed(error)
    }
  }
}

extension ControlResponse {
  /// The answer to an outcome.
  init(_ outcome: ControlOutcome) {
    self.init()
    switch outcome {
    case .session(let overview): session = ControlSession(overview)
    case .sessions(let overviews): sessions = overviews.map { ControlSession($0) }
    case .detail(let detail):
      session = ControlSession(detail.overview)
      destinations = detail.destinations.map { ControlDestination($0.key, $0.record, detail.categoryNames) }
      addresses = detail.sources.map(\.shortText)
      cgroups = detail.cgroups
      mix = detail.mix.map { ControlMix($0) }
    case .lives(let lives): self.lives = lives
    case .types: break
    case .released(let overview, let wasHeld):
      session = ControlSession(overview)
      self.wasHeld = wasHeld
    case .benign(let overview, let contacts):
      session = ControlSession(overview)
      self.contacts = contacts.values.reduce(0, &+)
    case .failed(let error): self.init(ControlError(error))
    }
  }
}

extension ControlError {
  /// The wire form of what the core refuses.
  init(_ error: SessionCommandError) {
    switch error {
    case .unknownSession(let id):
      self.init(.unknownSession, "no session \(quoted(id)) lives; 'session list' shows those that do")
    case .unknownAgentType(let type):
      self.init(.unknownAgentType, "there is no agent type \(quoted(type)); write it under agentTypes and reload")
    case .otherAgentType(let type):
      self.init(.otherAgentType, "the session is registered with the agent type \(quoted(type)); end it first")
    case .sourceTaken(let network, let owner):
      self.init(.sourceTaken, "\(network.shortText) belongs to session \(quoted(owner)); end that one first")
    case .cgroupTaken(let path, let owner):
      self.init(.cgroupTaken, "control group \(quoted(path)) belongs to session \(quoted(owner)); end that one first")
    case .tooMany:
      self.init(.tooManySessions, "\(SessionTable.maximumRegistered) sessions are registered; end some")
    case .noBaseline(let type):
      self.init(
        .noBaseline, "the agent type \(quoted(type)) has no categories.baseline to learn; write one and reload")
    case .noContacts(let id):
      self.init(.noContacts, "too few contacts were counted of session \(quoted(id)) to learn from")
    }
  }
}

extension ControlSession {
  /// The wire form of a session.
  init(_ overview: SessionOverview) {
    id = overview.id
    agentType = overview.agentType
    attribution = overview.attribution.rawValue
    started = overview.started.unixSeconds
    lastSeen = overview.lastSeen.unixSeconds
    ended = overview.ended?.unixSeconds
    budget = Budget(
      used: overview.destinations, ceiling: overview.ceiling, onReach: overview.onReach?.rawValue,
      extendedBy: overview.extendedBy)
    flows = overview.figures.flows
    bytesOut = overview.figures.bytesOut
    bytesIn = overview.figures.bytesIn
    refused = overview.figures.refused
    flags = overview.figures.flags
  }
}

extension ControlMix {
  /// The wire form of a mix.
  init(_ mix: MixOverview) {
    contacts = mix.contacts
    flags = mix.flags
    onShift = mix.onShift.rawValue
    held = mix.isHeld
    learned = mix.learned.map {
      Learned(
        sessions: $0.sessions, contacts: $0.contacts, prior: $0.priorSessions,
        concentration: ($0.concentration * 10).rounded() / 10)
    }
    categories = mix.rows.map {
      Row(
        category: $0.category, contacts: $0.contacts, share: Self.rounded($0.share),
        baseline: $0.baseline.map { Self.rounded($0) }, risen: $0.hasRisen ? true : nil)
    }
  }

  /// To a hundredth of a per cent.
  private static func rounded(_ share: Double) -> Double { (share * 10_000).rounded() / 10_000 }
}

extension ControlDestination {
  /// The wire form of a destination.
  init(_ key: DestinationKey, _ record: DestinationRecord, _ names: CategoryNames = CategoryNames()) {
    destination = key.text
    evidence = record.evidence.rawValue
    firstSeen = record.firstSeen.unixSeconds
    lastSeen = record.lastSeen.unixSeconds
    contacts = record.contacts
    category = names[record.category]
  }
}

extension Timestamp {
  /// Seconds since 1970, to the millisecond.
  var unixSeconds: Double { Double(nanoseconds / 1_000_000) / 1_000 }
}
