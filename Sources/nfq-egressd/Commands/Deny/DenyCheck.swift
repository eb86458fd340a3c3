import ArgumentParser
import PacketInspect

/// `nfq-egressd deny check`.
struct DenyCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether the lists deny a name or address, and by which entry.",
    discussion: """
      Asks the lists and denyExceptions of the configuration; reviewers' decisions are not asked ('overlay list' shows \
      them). Lists that were never compiled are read into memory first.

      Exit status: 0 nothing denies it, 1 it is denied, 64 neither name nor address, 78 bad configuration.
      """
  )

  @OptionGroup var options: DenyOptions

  @Argument(help: "A host name or an address.")
  var subject: String

  @Flag(help: "Print a JSON object.")
  var json = false

  /// What is found.
  struct Finding: Encodable, Equatable {
    var subject: String
    /// `denied`, `excepted` or `not-listed`.
    var result: String
    var list: String?
    var line: Int?
    var entry: String?
    var action: String?
    var ageSeconds: Int64?

    /// The finding for people.
    var text: String {
      guard let list, let line, let entry, let action else {
        return "\(subject): \(result == "excepted" ? "excepted" : "no list denies it")"
      }
      let age = ageSeconds.map { ", \($0) s old" } ?? ""
      return "\(subject): \(action), entry \(entry) of list \(list), line \(line)\(age)"
    }
  }

  func run() throws {
    let host = try HostServices.open()
    let target: DenyTarget
    do throws(TargetFault) {
      target = try TargetText.target(subject)
    } catch {
      throw ValidationError("\(quoted(subject)) is neither a host name nor an address: \(error.rawValue)")
    }
    let loaded = try options.read(host) { source, configuration throws(FileError) in
      try ListStore.asFound(configuration, host.suffixes).load(source)
    }
    let compiler = PolicyCompiler(suffixes: host.suffixes, seed: 1)
    let finding = Self.find(target, subject, in: PolicySnapshot(compiler.denials(of: loaded), epoch: 1))
    print(json ? try DenyOptions.json(finding) : finding.text)
    if finding.result == "denied" { throw ExitCode(1) }
  }

  /// The finding for a target.
  static func find(_ target: DenyTarget, _ subject: String, in policy: PolicySnapshot) -> Finding {
    let match: DenyMatch?
    let isExcepted: Bool
    switch target {
    case .name(let name):
      match = DenyRule.match(name: name, policy: policy)
      isExcepted = DenyRule.isExcepted(name, policy: policy, overlays: nil)
    case .network(let network):
      match = DenyRule.match(address: network.address, policy: policy)
      isExcepted = DenyRule.isExcepted(network.address.canonical, policy: policy, overlays: nil)
    }
    guard let match else {
      return Finding(subject: subject, result: isExcepted ? "excepted" : "not-listed")
    }
    return Finding(
      subject: subject, result: "denied", list: match.list, line: match.line, entry: match.entry,
      action: match.action.word,
      ageSeconds: match.listModified.map { max(0, WallClock.now().since($0) / 1_000_000_000) })
  }
}
