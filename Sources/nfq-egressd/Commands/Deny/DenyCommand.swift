import ArgumentParser
import Foundation
import PacketInspect

/// `nfq-egressd deny`.
struct DenyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deny",
    abstract: "Prepare deny-lists, and ask what they say.",
    discussion: "Needs no daemon. docs/lists.md describes lists and their snapshots.",
    subcommands: [DenyCheck.self, DenyStatus.self, DenyCompile.self]
  )
}

/// What the subcommands of `deny` have in common.
struct DenyOptions: ParsableArguments {
  @Option(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var config = ConfigurationLoader.defaultFile

  /// The configuration, with what `load` makes of each list. Complains and exits 78 when it has faults.
  func read(
    _ host: HostServices, _ load: @escaping (DenyListSource, Configuration) throws(FileError) -> LoadedList
  ) throws -> LoadedConfiguration {
    do throws(ConfigurationFaults) {
      let loaded = try ConfigurationLoader(suffixes: host.suffixes).load(config, list: load)
      for warning in loaded.warnings { HostServices.complain("\(config):\(warning) (warning)") }
      return loaded
    } catch {
      HostServices.complain(error.description)
      throw ExitCode.badConfiguration
    }
  }

  /// A value as one line of JSON.
  static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
