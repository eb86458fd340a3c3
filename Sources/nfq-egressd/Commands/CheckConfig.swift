import ArgumentParser
import Glibc

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

  /// sysexits.h, EX_CONFIG.
  static let badConfiguration = ExitCode(78)

  @Argument(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var file = ConfigurationLoader.defaultFile

  @Flag(help: "Print the merged policy as YAML: every key, with defaults and resolver addresses filled in.")
  var effective = false

  func run() throws {
    let suffixes: PublicSuffixes
    do {
      suffixes = try PublicSuffixes()
    } catch {
      Self.complain("no public suffix list can be opened; install the host's public suffix list")
      throw ExitCode(1)
    }
    let loaded: LoadedConfiguration
    do {
      loaded = try ConfigurationLoader(suffixes: suffixes).load(file)
    } catch {
      Self.complain(error.description)
      throw Self.badConfiguration
    }
    for warning in loaded.warnings { Self.complain("\(file):\(warning) (warning)") }
    if effective {
      print(EffectivePolicy.yaml(loaded.configuration), terminator: "")
    } else {
      print("\(file): can be used: \(loaded.summary)")
    }
  }

  private static func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    var written = 0
    while written < line.count {
      let count = unsafe line[written...].withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      written += count
    }
  }
}
