import Glibc

/// Measures the core and prints samples as JSON: scripts/bench.sh runs it and does the statistics.
/// The only argument is the number of repetitions.
let repetitions = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 101
guard repetitions >= 1, repetitions <= 100_000 else {
  print("usage: CoreBench [REPETITIONS]")
  exit(64)
}
guard let suffixes = SystemSuffixes() else {
  print("CoreBench: no public suffix list on this host (package publicsuffix)")
  exit(1)
}

let parse: [Row]
do {
  parse = try ParseBench(packets: 256, rounds: 20).run(repetitions: repetitions)
} catch {
  print("CoreBench: \(error)")
  exit(1)
}
var few = InspectBench(flows: 1_000, decidedRounds: 16, suffixes: suffixes)
let inspect = few.run(repetitions: repetitions)
var many = InspectBench(flows: 200_000, decidedRounds: 1, suffixes: suffixes)
let crowded = many.runDecided(
  repetitions: max(3, repetitions / 5), name: "later packet of a decided flow, one of 200,000 in turn")

// Rows that measured something else than they say would be worse than none.
let passes = repetitions + 2
guard few.fastPath == UInt64(passes * 1_000 * 16), few.eventCounts.tls == passes * 1_000,
  few.eventCounts.http == passes * 3_000, few.eventCounts.dns == passes * 2_000 + 256
else {
  print("CoreBench: the inspector did not do what the rows say: \(few.fastPath) \(few.eventCounts)")
  exit(1)
}
let rows = { (rows: [Row]) in rows.map(\.json).joined(separator: ",") }
print("{\"parse\":[\(rows(parse))],\"inspect\":[\(rows(inspect + [crowded]))]}")
