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

  @OptionGroup var review: SessionReview

  func run() throws {
    try review.say(.release) { response in
      response.session.map { session in
        response.wasHeld == true
          ? "session \(session.id) is released"
          : "nothing of session \(session.id) was held; its mix is its own from now on"
      }
    }
  }
}
