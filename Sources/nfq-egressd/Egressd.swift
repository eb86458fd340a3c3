import ArgumentParser

/// The command line's root.
@main
struct Egressd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nfq-egressd",
    abstract: "Inspect and govern the network egress of AI agent sessions.",
    subcommands: [
      Run.self, Replay.self, CheckConfig.self, CategoryCommand.self, DenyCommand.self, SessionCommand.self,
      OverlayCommandLine.self, ReviewCommandLine.self, Containers.self, Doctor.self,
    ]
  )
}
