import ArgumentParser

/// What the subcommands take by which a reviewer says something of a session, and how they say it.
struct SessionReview: ParsableArguments {
  @OptionGroup var name: SessionName
  @OptionGroup var reason: OverlayReason
  @OptionGroup var options: SessionOptions

  /// Sends it with who and why. Prints the answer's JSON; or a line, and another when it is not on disk yet.
  func say(_ verb: ControlVerb, withdraw: Bool? = nil, _ line: (ControlResponse) -> String?) throws {
    var request = ControlRequest(verb, id: name.id)
    request.withdraw = withdraw
    reason.fill(&request)
    let response = try options.send(request)
    if options.json { return try options.print(json: response) }
    guard let line = line(response) else { return }
    let isWaiting = response.kept == "waiting"
    options.print([line] + (isWaiting ? ["it is not on disk yet: the store cannot be written just now"] : []))
  }
}
