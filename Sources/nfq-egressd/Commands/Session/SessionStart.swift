import ArgumentParser

/// `nfq-egressd session start`.
struct SessionStart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Register a session.",
    discussion: """
      Traffic from the addresses, control groups and processes named is charged to the session from its next flow on. \
      Saying the same again changes nothing; naming more adds to what is there. What belongs to another session is \
      refused.
      """
  )

  @Option(help: "The session's id: \(SessionWord.rule).")
  var id: String

  @Option(help: "Its agent type, one of agentTypes.")
  var type: String

  @Option(help: "A source address or network of its own. May be given again.")
  var address: [String] = []

  @Option(help: "A control group of its own, as a path below the cgroup v2 mount. May be given again.")
  var cgroup: [String] = []

  @Option(help: "A process whose control group is its own. May be given again.")
  var pid: [Int32] = []

  @Option(help: "Its own ceiling on distinct destinations, in the place of its type's.")
  var budget: Int?

  @OptionGroup var own: BudgetOptions
  @OptionGroup var options: SessionOptions

  func validate() throws {
    guard !address.isEmpty || !cgroup.isEmpty || !pid.isEmpty else {
      throw ValidationError("name what is the session's own: --address, --cgroup or --pid")
    }
    guard !own.lacksCeiling(budget) else {
      throw ValidationError("--budget-window and --on-reach belong to --budget or --upload-budget")
    }
  }

  func run() throws {
    var request = ControlRequest(.start, id: id)
    request.agentType = type
    request.addresses = address.isEmpty ? nil : address
    request.cgroups = cgroup.isEmpty ? nil : cgroup
    request.pids = pid.isEmpty ? nil : pid
    request.budget = own.wire(budget)
    try options.report(try options.send(request)) { session in
      "session \(session.id) is registered: agent type \(session.agentType), \(SessionTables.budget(session.budget))"
    }
  }
}

/// `nfq-egressd session end`.
struct SessionEnd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "end",
    abstract: "End a session.",
    discussion: """
      Its id, addresses and control groups are free for another one. Its last event (stats, kind session-end) tells \
      what it did; what an agent still sends from there is no longer its own.
      """
  )

  @OptionGroup var name: SessionName
  @OptionGroup var options: SessionOptions

  func run() throws {
    try options.report(try options.send(ControlRequest(.end, id: name.id))) { session in
      "session \(session.id) has ended: \(SessionTables.budget(session.budget)), \(session.flows) flows, "
        + "\(HumanText.bytes(session.bytesOut)) sent, \(session.refused) refused, \(session.flags) flags"
    }
  }
}

/// `nfq-egressd session extend`.
struct SessionExtend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extend",
    abstract: "Extend a session's budget.",
    discussion: """
      Acts at once: what was held may be contacted, and reaching the new ceiling is flagged again. Each call adds to \
      what was added before.
      """
  )

  @OptionGroup var name: SessionName

  @Option(help: "How many destinations more.")
  var by: Int

  @OptionGroup var options: SessionOptions

  func validate() throws {
    guard (1...ControlProtocol.maximumExtension).contains(by) else {
      throw ValidationError("--by takes a number from 1 to \(ControlProtocol.maximumExtension)")
    }
  }

  func run() throws {
    var request = ControlRequest(.extend, id: name.id)
    request.destinations = by
    try options.report(try options.send(request)) { session in
      "session \(session.id) now has \(SessionTables.budget(session.budget))"
    }
  }
}
