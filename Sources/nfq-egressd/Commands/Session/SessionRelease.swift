import ArgumentParser

/// `nfq-egressd session release`.
struct SessionRelease: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Release what a shift of a session's mix holds.",
    discussion: """
      For a reviewer who has looked at the flag category-shift: destinations that are held (onShift: hold or reject) may \
      be contacted again at once, and the mix as it is now is the session's own. Who and why go into the record.
      """
  )

  @OptionGroup var name: SessionName
  @OptionGroup var reason: OverlayReason
  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.release, id: name.id)
    reason.fill(&request)
    let response = try options.send(request)
    if options.json { return try options.print(json: response) }
    guard let session = response.session else { return }
    var lines = [
      response.wasHeld == true
        ? "session \(session.id) is released"
        : "nothing of session \(session.id) was held; its mix is its own from now on"
    ]
    if response.kept == "waiting" {
      lines.append("it acts, but is not on disk yet: the store cannot be written just now")
    }
    options.print(lines)
  }
}
