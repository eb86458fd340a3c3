import FoundationEssentials
import PacketInspect

@testable import nfq_egressd

/// What a fuzzer drives of the daemon beside packets: the readers of what operators, list makers and the control group
/// write. The regression tests run the same file.
enum DaemonEntry: String, CaseIterable {
  /// A list: its first byte says which format, and where it is cut in two; the rest is the file.
  case list
  /// A configuration file, without the lists that it names.
  case config
  /// One request of the control protocol.
  case control

  /// Runs the entry once.
  func run(_ bytes: RawSpan) {
    switch self {
    case .list: Self.list(bytes)
    case .config: Self.config(bytes)
    case .control: Self.control(bytes)
    }
  }

  private static let suffixes: PublicSuffixes = {
    guard let suffixes = try? PublicSuffixes() else { fatalError("no public suffix list here") }
    return suffixes
  }()

  /// Ends the program when what must always hold does not.
  private static func demand(_ holds: Bool, _ what: StaticString) {
    if !holds { fatalError("\(what)") }
  }

  private static func list(_ bytes: RawSpan) {
    guard bytes.byteCount > 0 else { return }
    let choice = Int(bytes.byte(at: 0))
    let format = ListFormat.allCases[choice % ListFormat.allCases.count]
    let file = bytes.extracting(droppingFirst: 1)
    let whole = entries(of: [file.array()], format)
    let cut = file.byteCount * choice / 256
    let halves = [file.extracting(first: cut).array(), file.extracting(droppingFirst: cut).array()]
    demand(entries(of: halves, format).entries == whole.entries, "a list depends on how its bytes arrive")
    demand(whole.entries.count == whole.report.entries, "a list has not as many entries as it says")
    demand(whole.entries.allSatisfy { (1...whole.report.lines).contains($0.line) }, "an entry stands on no line")
    for entry in whole.entries {
      let again = try? TargetText.target(entry.target.description)
      demand(again == entry.target, "a target is not what it is written as")
    }
  }

  private static func entries(of pieces: [[UInt8]], _ format: ListFormat) -> (entries: [ListEntry], report: ListReport)
  {
    var parser = ListParser(format: format, suffixes: suffixes)
    var entries: [ListEntry] = []
    for piece in pieces { parser.feed(piece.rawSpan) { entries.append($0) } }
    let report = parser.finish { entries.append($0) }
    return (entries, report)
  }

  private static func config(_ bytes: RawSpan) {
    guard let text = String(validating: bytes.array(), as: UTF8.self), let first = configuration(text) else { return }
    let effective = EffectivePolicy.yaml(first)
    guard let second = configuration(effective) else {
      fatalError("a merged policy is no configuration:\n\(effective)")
    }
    demand(EffectivePolicy.yaml(second) == effective, "a merged policy means another one")
  }

  /// What a text says; nil where it has faults.
  private static func configuration(_ text: String) -> Configuration? {
    let log = FaultLog()
    guard let root = ConfigurationDocument.compose(text, log: log) else { return nil }
    let decoder = ConfigurationDecoder(baseDirectory: "/nowhere", systemResolvers: [], suffixes: suffixes)
    let decoded = decoder.decode(ConfigurationValue(node: root, path: "", schemaPath: "", log: log))
    for fault in log.sorted { _ = fault.description }
    return log.faults.isEmpty ? decoded.configuration : nil
  }

  private static func control(_ bytes: RawSpan) {
    let service = ControlService(
      execute: { _ in nil }, cgroup: { _ throws(ControlError) in throw ControlError(.noSuchProcess, "none here") },
      reader: OverlayReader(isRegistrySuffix: { suffixes.isRegistrySuffix($0) }))
    let answer = service.answer(bytes.array()[...])
    demand(answer.last == 0x0a && answer.dropLast().allSatisfy { $0 >= 0x20 }, "an answer is not one line")
    let read = try? JSONDecoder().decode(ControlResponse.self, from: Data(answer))
    demand(read?.error != nil && read?.ok == false, "an answer is no answer")
  }
}
