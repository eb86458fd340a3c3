import ArgumentParser
import Foundation
import PacketInspect

/// `nfq-egressd category`.
struct CategoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "category",
    abstract: "Say which category a name has, and which entry decided.",
    discussion: """
      The longest entry that is the name or a parent of it decides; of two files with the same entry the later one of \
      'categories', and any of them before the built-in table. Without --config only the built-in table is asked. \
      Needs no privileges and no daemon.

      A name that no entry covers is 'unknown', like every address and every claim that nothing corroborates.

      Exit status: 0 told, 64 no host name, 78 bad configuration.
      """
  )

  @Argument(help: "A host name, such as gist.github.com.")
  var name: String

  @Option(help: "The configuration file whose categories count.", completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Flag(help: "Print a JSON object.")
  var json = false

  /// What is found.
  struct Finding: Encodable, Equatable {
    /// The name as it was asked for, in lower case.
    var name: String
    /// Its category.
    var category: String
    /// What a budget counts it as.
    var destination: String
    /// The entry that decided; absent when none did.
    var entry: String?
    /// The list that holds it: a file, or `builtin:` and the category.
    var list: String?
    /// Its line there.
    var line: Int?

    /// The finding for people.
    var text: String {
      var table = TextTable([.left(""), .left("")], hasHeader: false)
      table.add(["name", name])
      table.add(["category", category])
      table.add(["counts as", destination])
      if let entry, let list, let line {
        table.add(["entry", entry])
        table.add(["list", "\(list), line \(line)"])
      } else {
        table.add(["entry", "none covers the name"])
      }
      return table.lines.joined(separator: "\n")
    }
  }

  func run() throws {
    let host = try HostServices.open()
    let bytes = Array(name.utf8)
    let asked: HostName
    do throws(TargetFault) {
      asked = try TargetText.name(bytes.rawSpan)
    } catch {
      throw ValidationError("\(quoted(name)) is no host name: \(error.rawValue)")
    }
    let finding = Self.find(asked, in: try table(host), suffixes: host.suffixes)
    guard json else {
      print(finding.text)
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(finding), as: UTF8.self))
  }

  /// The finding for a name.
  static func find(_ name: HostName, in table: CategoryTable, suffixes: PublicSuffixes) -> Finding {
    let match = table.match(name)
    return Finding(
      name: name.text, category: table.names[match?.category ?? .unknown],
      destination: DestinationKey(name, registrable: suffixes).text, entry: match?.entry, list: match?.source,
      line: match?.line)
  }

  private func table(_ host: HostServices) throws -> CategoryTable {
    let compiler = PolicyCompiler(suffixes: host.suffixes, seed: 1)
    guard let config else { return compiler.parts(Configuration()).categories }
    do throws(ConfigurationFaults) {
      let compiled = try compiler.compile(file: config, epoch: 1)
      for warning in compiled.loaded.warnings { HostServices.complain("\(config):\(warning) (warning)") }
      return compiled.snapshot.parts.categories
    } catch {
      HostServices.complain(error.description)
      throw ExitCode.badConfiguration
    }
  }
}
