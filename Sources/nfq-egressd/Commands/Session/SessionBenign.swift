import ArgumentParser

/// `nfq-egressd session benign`.
struct SessionBenign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benign",
    abstract: "Say that a session was benign, for its type's baseline to learn from.",
    discussion: """
      For a reviewer who has looked at a session that lives or ended lately. Its contacts by category so far go into the \
      store with who and why; said again, they take the place of the former ones. \
      With --withdraw what was said last of the id, also long ago, is taken back; both stay in the record. Where the type's configuration has \
      categories.learn: reviewed, its baseline is learned from all such sessions at the next start or reload.
      """
  )

  @OptionGroup var review: SessionReview

  @Flag(help: "Take such a verdict back.")
  var withdraw = false

  func run() throws {
    try review.say(.benign, withdraw: withdraw ? true : nil) { response in
      let contacts = "\(response.contacts ?? 0) contacts"
      if withdraw {
        return
          "session \(review.name.id) is not taken for benign any longer, nor its \(contacts) for its type's baseline "
          + "from the next reload on"
      }
      return response.session.map { session in
        let type = TextTable.printable(session.agentType)
        return
          "session \(session.id) is benign, with \(contacts); type \(type) learns from it at the next reload, if its "
          + "categories.learn is 'reviewed'"
      }
    }
  }
}
