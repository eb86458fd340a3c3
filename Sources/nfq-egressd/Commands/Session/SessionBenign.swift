import ArgumentParser

/// `nfq-egressd session benign`.
struct SessionBenign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benign",
    abstract: "Say that a session was benign, for its type's baseline to learn from.",
    discussion: """
      For a reviewer who has looked at a session that lives or ended lately. Its contacts by category so far go into the \
      store with who and why; said again, they take the place of the former ones. Where the type's configuration has \
      categories.learn: reviewed, its baseline is learned from all such sessions at the next start or reload.
      """
  )

  @OptionGroup var name: SessionName
  @OptionGroup var reason: OverlayReason
  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.benign, id: name.id)
    reason.fill(&request)
    let response = try options.send(request)
    if options.json { return try options.print(json: response) }
    guard let session = response.session else { return }
    let type = TextTable.printable(session.agentType)
    var lines = [
      "session \(session.id) is benign, with \(response.contacts ?? 0) contacts; type \(type) learns from it at the next "
        + "reload, if its categories.learn is 'reviewed'"
    ]
    if response.kept == "waiting" { lines.append("it is not on disk yet: the store cannot be written just now") }
    options.print(lines)
  }
}
