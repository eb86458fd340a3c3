import ArgumentParser

/// `nfq-egressd session block`.
struct SessionBlock: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "block",
    abstract: "Refuse every packet of a session.",
    discussion: """
      Acts at once, on connections that live too, until 'session unblock' or --expires; also when the session ends and \
      its id comes back. The same as 'overlay add block'.
      """
  )

  @OptionGroup var name: SessionName
  @OptionGroup var reason: OverlayReason
  @OptionGroup var time: OverlayTime
  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.block, id: name.id)
    reason.fill(&request)
    request.lasts = time.expires?.seconds
    try OverlayReport.print(try options.send(request), options, "is in force")
  }
}

/// `nfq-egressd session unblock`.
struct SessionUnblock: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unblock", abstract: "End the block of a session.",
    discussion: "A block of its whole type, or of all, is removed by its number: 'overlay remove'.")

  @OptionGroup var name: SessionName
  @OptionGroup var reason: OverlayReason
  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.unblock, id: name.id)
    reason.fill(&request)
    try OverlayReport.print(try options.send(request), options, "is removed")
  }
}
