import ArgumentParser

/// `nfq-egressd check-config`.
struct CheckConfig: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-config",
    abstract: "Check a configuration file and the lists it names.",
    discussion: """
      Every fault is reported at once, one a line on standard error: file, line, column, key, what is wrong and \
      the mend. Lines of usable lists that had to be skipped are warnings. Needs no privileges, changes nothing.

      Exit status: 0 the file can be used, 78 it cannot.
      """
  )

  @Argument(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var file = ConfigurationLoader.defaultFile

  @Flag(help: "Print the merged policy as YAML: every key, with defaults and resolver addresses filled in.")
  var effective = false

  func run() throws {
    let host = try HostServices.open()
    let loaded: LoadedConfiguration
    do {
      loaded = try ConfigurationLoader(suffixes: host.suffixes).load(file)
    } catch {
      HostServices.complain(error.description)
      throw ExitCode.badConfiguration
    }
    for warning in loaded.warnings { HostServices.complain("\(file):\(warning) (warning)") }
    if let obstacle = RulesRecord.obstacle(loaded.configuration.rules) {
      HostServices.complain(
        "\(file): rules.repair: rules of control groups that are made anew cannot be made again: \(obstacle) (warning)")
    }
    if effective {
      print(EffectivePolicy.yaml(loaded.configuration), terminator: "")
    } else {
      print("\(file): can be used: \(loaded.summary)")
    }
  }
}
