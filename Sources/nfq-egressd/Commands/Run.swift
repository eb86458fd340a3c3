import ArgumentParser
import Logging

/// `nfq-egressd run`.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the daemon.",
    discussion: """
      Binds the queue that scripts/iptables-setup.sh sends agents' packets to, and gives each a verdict. Needs root or
      CAP_NET_ADMIN, in the network namespace that holds the rules.

      SIGHUP reads the configuration and its lists again (a bad file keeps the last good policy and says so) and opens
      the event file again. SIGTERM gives a verdict to all that is pending and exits.

      Exit status: 0 stopped in order, 1 cannot run, 78 bad configuration.
      """
  )

  @Option(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var config = ConfigurationLoader.defaultFile

  func run() throws {
    let host = try HostServices.open()
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    let daemon = Daemon(
      file: config, log: Logger(label: "nfq-egressd"), suffixes: host.suffixes, digest: host.digest,
      quic: host.quic)
    do {
      try daemon.run()
    } catch let faults as ConfigurationFaults {
      HostServices.complain(faults.description)
      throw ExitCode.badConfiguration
    } catch {
      HostServices.complain("nfq-egressd: \(error)")
      throw ExitCode(1)
    }
  }
}
