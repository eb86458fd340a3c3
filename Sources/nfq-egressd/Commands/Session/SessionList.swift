import ArgumentParser

/// `nfq-egressd session list`.
struct SessionList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the sessions that live.",
    discussion: "The fullest budgets come first. With --json, an array of sessions as docs/control.md describes them."
  )

  /// What to sort by. All but `id` put the largest or latest first.
  enum Order: String, CaseIterable, ExpressibleByArgument {
    case budget, destinations, id, seen, started, flows, sent, refused, flags
  }

  @Option(help: "Only sessions of this agent type.")
  var type: String?

  @Option(help: "One of \(Order.allCases.map(\.rawValue).joined(separator: ", ")).")
  var sort = Order.budget

  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.list)
    request.agentType = type
    let sessions = Self.sorted(try options.send(request).sessions ?? [], by: sort)
    if options.json {
      try options.print(json: sessions)
    } else {
      options.print(SessionTables.list(sessions, at: WallClock.now().unixSeconds))
    }
  }

  static func sorted(_ sessions: [ControlSession], by order: Order) -> [ControlSession] {
    func figure(_ session: ControlSession) -> Double {
      switch order {
      // Without a ceiling, nothing of it is used.
      case .budget: session.share ?? -1
      case .destinations: Double(session.budget.used)
      case .id: 0
      case .seen: session.lastSeen
      case .started: session.started
      case .flows: Double(session.flows)
      case .sent: Double(session.bytesOut)
      case .refused: Double(session.refused)
      case .flags: Double(session.flags)
      }
    }
    return sessions.map { (figure($0), $0) }
      .sorted { $0.0 != $1.0 ? $0.0 > $1.0 : $0.1.id < $1.1.id }
      .map(\.1)
  }
}

/// `nfq-egressd session show`.
struct SessionShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a session with its mix of categories and its destinations.",
    discussion: "The latest contacts come first. With --json, an object as docs/control.md describes it."
  )

  /// What `--json` prints.
  private struct Document: Encodable {
    var session: ControlSession
    var destinations: [ControlDestination]
    var addresses: [String]
    var cgroups: [String]
    var overlays: [ControlOverlay]
    var mix: ControlMix?
  }

  @OptionGroup var name: SessionName
  @OptionGroup var options: SessionOptions

  func run() throws {
    let response = try options.send(ControlRequest(.show, id: name.id))
    guard let session = response.session else { return }
    let document = Document(
      session: session, destinations: response.destinations ?? [], addresses: response.addresses ?? [],
      cgroups: response.cgroups ?? [], overlays: response.overlays ?? [], mix: response.mix)
    if options.json { return try options.print(json: document) }
    let now = WallClock.now().unixSeconds
    options.print(
      SessionTables.head(session, addresses: document.addresses, cgroups: document.cgroups, at: now)
        + (document.mix.map { [""] + SessionTables.mix($0) } ?? [])
        + (document.overlays.isEmpty ? [] : [""] + OverlayTables.list(document.overlays, at: now))
        + [""] + SessionTables.destinations(document.destinations, at: now))
  }
}
