import ArgumentParser
import PacketInspect

/// `nfq-egressd review`.
struct ReviewCommandLine: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "review",
    abstract: "Work through the flagged sessions: look, acknowledge, resolve.",
    discussion: """
      Every flagged session is one item with all its flags. A flag that is raised later opens it again. What is decided \
      rests on what the reviewer saw: where the session has done more since, it is refused, and what is new is shown. \
      docs/review.md describes it.

      Exit status: 0 done, 1 the thing is not so or no daemon answers (one line on standard error says which), 64 usage.
      """,
    subcommands: [ReviewList.self, ReviewShow.self, ReviewAcknowledge.self, ReviewResolve.self]
  )
}

/// `nfq-egressd review list`.
struct ReviewList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List flagged sessions.",
    discussion: "The gravest come first, of those the latest. With --json, an array as docs/control.md describes it."
  )

  @Option(help: "open, acknowledged, resolved or all; otherwise those that are open or acknowledged.")
  var state: String?

  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.reviewList)
    request.state = state
    let reviews = try options.send(request).reviews ?? []
    if options.json { return try options.print(json: reviews) }
    options.print(ReviewTables.list(reviews, at: WallClock.now().unixSeconds))
  }
}

/// `nfq-egressd review show`.
struct ReviewShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a flagged session: its flags with their evidence, what was done about it.",
    discussion:
      "'session show' has its destinations and its mix. With --json, the answer as docs/control.md describes it."
  )

  @OptionGroup var name: SessionName
  @OptionGroup var options: SessionOptions

  func run() throws {
    let response = try options.send(ControlRequest(.reviewShow, id: name.id))
    if options.json { return try options.print(json: response) }
    options.print(ReviewTables.show(response, at: WallClock.now().unixSeconds))
  }
}

/// What acknowledging and resolving have in common.
struct ReviewOptions: ParsableArguments {
  @OptionGroup var reason: OverlayReason

  @Option(help: "The item's version that was looked at ('review show'); otherwise it is shown and taken as seen now.")
  var seen: String?

  @OptionGroup var options: SessionOptions

  /// Sends the step, and prints what came of it.
  func act(_ request: ControlRequest, _ id: String) throws {
    var request = request
    reason.fill(&request)
    request.seen = try seen ?? look(id)
    let response = try options.ask(request)
    if let error = response.error {
      if options.json {
        try options.print(json: response)
      } else if error.code == .changed {
        options.print(ReviewTables.difference(response, at: WallClock.now().unixSeconds))
      }
      throw options.refuse(error)
    }
    if options.json { return try options.print(json: response) }
    options.print(ReviewTables.done(response))
  }

  private func look(_ id: String) throws -> String? {
    let response = try options.send(ControlRequest(.reviewShow, id: id))
    if !options.json { options.print(ReviewTables.show(response, at: WallClock.now().unixSeconds) + [""]) }
    return response.review?.version
  }
}

/// `nfq-egressd review acknowledge`.
struct ReviewAcknowledge: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "acknowledge",
    abstract: "Say that somebody is at a flagged session.",
    discussion: "It stays in the list until it is resolved, and opens again when the session does something new."
  )

  @OptionGroup var name: SessionName
  @OptionGroup var step: ReviewOptions

  func run() throws {
    var request = ControlRequest(.reviewAct, id: name.id)
    request.action = "acknowledge"
    try step.act(request, name.id)
  }
}

/// `nfq-egressd review resolve`.
struct ReviewResolve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve",
    abstract: "Decide about a flagged session.",
    discussion: """
      benign     nothing is wrong; its type's baseline may learn from it ('session benign')
      extend     its budget is extended ('session extend'), by --by
      deny       --destination is refused to it, or to whom --scope names ('overlay add deny')
      block      all its packets are refused ('session block')
      confirmed  something is wrong; dealt with elsewhere

        review resolve demo-1 deny --destination paste.example --why 'no part of the task' --expires 7d

      With --expires the decision is over after that time: what it put up ends, and the item is open again.
      """
  )

  @Argument(help: "The session's id.")
  var session: String

  private static let words = ReviewDisposition.allCases.map(\.rawValue).joined(separator: ", ")

  @Argument(
    help: "One of \(words).",
    transform: { word in
      guard let disposition = ReviewDisposition(rawValue: word) else { throw ValidationError("it is one of \(words)") }
      return disposition
    })
  var disposition: ReviewDisposition

  @Option(help: "Of extend: how many destinations more.")
  var by: Int?

  @Option(help: "Of deny: a host name (with all below it), an address or a network.")
  var destination: String?

  @Option(help: "Of deny: session:ID, type:NAME or all; otherwise the session.")
  var scope: String?

  @OptionGroup var time: OverlayTime
  @OptionGroup var step: ReviewOptions

  func validate() throws {
    guard (disposition == .extend) == (by != nil) else {
      throw ValidationError("--by belongs to extend, which needs it")
    }
    guard (disposition == .deny) == (destination != nil), disposition == .deny || scope == nil else {
      throw ValidationError("--destination belongs to deny, which needs it; so does --scope")
    }
  }

  func run() throws {
    var request = ControlRequest(.reviewAct, id: session)
    request.action = "resolve"
    request.disposition = disposition.rawValue
    (request.destinations, request.subject, request.scope) = (by, destination, scope)
    request.lasts = time.expires?.seconds
    try step.act(request, session)
  }
}
