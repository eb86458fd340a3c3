import Foundation
import FuzzEntries

/// What this process is to do, by its environment: libFuzzer has the command line. One binary for all entries, since
/// each would link the same code and a build takes minutes.
enum Chosen {
  /// FUZZ_ENTRY: the entry to fuzz.
  static let entry: FuzzEntry = {
    let name = ProcessInfo.processInfo.environment["FUZZ_ENTRY"] ?? ""
    guard let entry = FuzzEntry(rawValue: name) else {
      let known = FuzzEntry.allCases.map(\.rawValue).joined(separator: ", ")
      fatalError("FUZZ_ENTRY is \"\(name)\", not one of \(known)")
    }
    return entry
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
    return seeds.count
  }
}
