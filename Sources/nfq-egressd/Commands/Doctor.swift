import ArgumentParser
import FoundationEssentials
import Glibc

/// `nfq-egressd doctor`.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Prove the way of a packet on this host: kernel, rules, queue, daemon, files.",
    discussion: """
      One line a check: ok, warn or fail, what was found and, in brackets, the mend. Looks for about two seconds and \
      changes nothing. Run it as root, in the network namespace that holds the rules: what it may not see is a warning \
      that says so, no failure. docs/operations.md lists the checks.

      The rules are looked at by the script that installed them, which must be root's alone. NFQ_EGRESSD_RUN_DIR says \
      where it keeps its records, unless that is where the configuration says (rules.directory).

      Exit status: 0 nothing failed, 1 something did, 64 usage, 78 the configuration cannot be used.
      """
  )

  @Option(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var config = ConfigurationLoader.defaultFile

  @Flag(help: "Print a JSON list of {check, result, detail, mend}, for programs.")
  var json = false

  func run() throws {
    PrivateMemory.keep()
    let facts = DoctorRound(file: config).gather()
    let findings = Diagnosis.judge(facts)
    let text: [UInt8]
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      text = Array(try encoder.encode(findings))
    } else {
      text = Array(findings.map(\.line).joined(separator: "\n").utf8)
    }
    HostServices.writeAll(text + [0x0a], to: STDOUT_FILENO)
    let status = Diagnosis.exitStatus(facts, findings)
    if status != 0 { throw ExitCode(status) }
  }
}
