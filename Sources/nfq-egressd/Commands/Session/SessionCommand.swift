import ArgumentParser
import FoundationEssentials
import Glibc

/// `nfq-egressd session`.
struct SessionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session",
    abstract: "Register agent sessions, look at them live, extend their budgets, release or block them.",
    discussion: """
      Speaks to the running daemon over its control socket; docs/control.md describes the protocol, for orchestrators \
      that would rather speak it themselves. Needs root, or membership in the group that control.group names.

      Exit status: 0 done, 1 the thing is not so or no daemon answers (one line on standard error says which), 64 usage.
      """,
    subcommands: [
      SessionStart.self, SessionEnd.self, SessionList.self, SessionShow.self, SessionExtend.self,
      SessionRelease.self, SessionBenign.self, SessionBlock.self, SessionUnblock.self,
    ]
  )
}

/// What every session subcommand takes.
struct SessionOptions: ParsableArguments {
  @Option(help: "The daemon's control socket.", completion: .file())
  var socket = Configuration.Control.defaultSocket

  @Flag(help: "Print JSON, for programs.")
  var json = false

  /// Sends a request; complains and exits 1 when the daemon refuses or does not answer.
  func send(_ request: ControlRequest) throws -> ControlResponse {
    let response = try ask(request)
    if let error = response.error { throw refuse(error) }
    return response
  }

  /// Sends a request; complains and exits 1 when the daemon does not answer. It may refuse.
  func ask(_ request: ControlRequest) throws -> ControlResponse {
    do throws(ControlClient.Failure) {
      return try ControlClient(path: socket).send(request)
    } catch {
      HostServices.complain("nfq-egressd: \(error.description)")
      throw ExitCode(1)
    }
  }

  /// Complains of a refusal.
  func refuse(_ error: ControlError) -> ExitCode {
    HostServices.complain("nfq-egressd: \(TextTable.printable(error.message)) (\(error.code.rawValue))")
    return ExitCode(1)
  }

  /// One value as one line of JSON.
  func print<T: Encodable>(json value: T) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    HostServices.writeAll(Array(try encoder.encode(value)) + [0x0a], to: STDOUT_FILENO)
  }

  /// Lines for people.
  func print(_ lines: [String]) {
    HostServices.writeAll(Array((lines.joined(separator: "\n") + "\n").utf8), to: STDOUT_FILENO)
  }

  /// A session that a command was about: its JSON, or a line.
  func report(_ response: ControlResponse, _ text: (ControlSession) -> String) throws {
    guard let session = response.session else { return }
    if json { try print(json: session) } else { print([text(session)]) }
  }
}

/// Which session a subcommand is about.
struct SessionName: ParsableArguments {
  @Argument(help: "The session's id.")
  var session: String?

  @Option(name: .customLong("id"), help: "The session's id, for those who would rather name it.")
  var option: String?

  /// The id.
  var id: String { session ?? option ?? "" }

  func validate() throws {
    guard (session == nil) != (option == nil) else { throw ValidationError("name one session, by its id") }
  }
}
