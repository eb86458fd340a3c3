import Foundation
import FuzzEntries

/// What this process is to do, by its environment: libFuzzer has the command line. One binary for all entries, since
/// each would link the same code and a build takes minutes.
enum Chosen {
  /// One of the core's entries, or of the daemon's.
  enum Entry {
    case core(FuzzEntry)
    case daemon(DaemonEntry)

    func run(_ bytes: RawSpan) {
      switch self {
      case .core(let entry): entry.run(bytes)
      case .daemon(let entry): entry.run(bytes)
      }
    }
  }

  /// FUZZ_ENTRY: the entry to fuzz.
  static let entry: Entry = {
    let name = ProcessInfo.processInfo.environment["FUZZ_ENTRY"] ?? ""
    if let entry = FuzzEntry(rawValue: name) { return .core(entry) }
    if let entry = DaemonEntry(rawValue: name) { return .daemon(entry) }
    let known = FuzzEntry.allCases.map(\.rawValue) + DaemonEntry.allCases.map(\.rawValue)
    fatalError("FUZZ_ENTRY is \"\(name)\", not one of \(known.joined(separator: ", "))")
  }()

  /// FUZZ_CAPTURES and FUZZ_SEEDS: makes first inputs from the captures below the one folder, in the other.
  static func makeSeeds() throws -> Int? {
    let environment = ProcessInfo.processInfo.environment
    guard let captures = environment["FUZZ_CAPTURES"], let directory = environment["FUZZ_SEEDS"] else { return nil }
    var seeds = SeedWriter(directory: URL(fileURLWithPath: directory))
    for path in try FileManager.default.subpathsOfDirectory(atPath: captures).sorted() where path.hasSuffix(".pcap") {
      try seeds.take(capture: [UInt8](Data(contentsOf: URL(fileURLWithPath: captures + "/" + path))))
    }
    try seeds.writeMadeOnes()
    try seeds.writeTunnels()
    try seeds.writeRequests()
    return seeds.count
  }
}
