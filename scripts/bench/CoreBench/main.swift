import Glibc
import TestSupport

/// Measures the core and prints samples as JSON: scripts/bench.sh runs it and does the statistics.
let usage =
  """
  usage: CoreBench REPETITIONS [parse|inspect|crowded] | CoreBench SESSIONS memory |
         CoreBench PASSES flows |
         CoreBench PASSES worst CAPTURES [FUZZ-INPUTS] | CoreBench REPETITIONS lists NAMES NETWORKS |
         CoreBench COUNT write names|networks
  """

func fail(_ message: String, _ status: Int32) -> Never {
  print(message)
  exit(status)
}

let arguments = CommandLine.arguments
guard (2...5).contains(arguments.count),
  arguments.count <= 3 || ["worst", "lists", "write"].contains(arguments[2]),
  let repetitions = Int(arguments[1]),
  (1...(arguments.count == 4 && arguments[2] == "write" ? 16_000_000 : 100_000)).contains(repetitions)
else { fail(usage, 64) }
if arguments.count == 4, arguments[2] == "write", ["names", "networks"].contains(arguments[3]) {
  ListMaker.write(arguments[3], repetitions)
  exit(0)
}
if arguments.count == 5, arguments[2] == "lists" {
  guard let names = Int(arguments[3]), let networks = Int(arguments[4]), names > 0, networks > 0 else {
    fail(usage, 64)
  }
  do throws(ListBench.Disagreement) {
    let rows =
      try ListBench.names(names, repetitions: repetitions) + ListBench.networks(networks, repetitions: repetitions)
    print("[\(rows.map(\.json).joined(separator: ","))]")
  } catch {
    fail("CoreBench: \(error)", 1)
  }
  exit(0)
}
let parts = arguments.count == 3 ? [arguments[2]] : ["parse", "inspect", "crowded"]
guard let suffixes = SystemSuffixes() else { fail("CoreBench: no public suffix list here (package publicsuffix)", 1) }
if arguments.count == 3, arguments[2] == "memory" {
  print(MemoryBench.run(sessions: repetitions, destinations: 200, suffixes: suffixes))
  exit(0)
}
if arguments.count == 3, arguments[2] == "flows" {
  print(FlowBench.run(passes: repetitions, suffixes: suffixes))
  exit(0)
}
if arguments.count > 3 {
  guard let bench = WorstBench(passes: repetitions, suffixes: suffixes) else { fail("CoreBench: no libcrypto", 1) }
  do {
    print(try bench.run(captures: arguments[3], seeds: arguments.count > 4 ? arguments[4] : nil))
  } catch {
    fail("CoreBench: \(error)", 1)
  }
  exit(0)
}

/// The kinds of packets, and whether they did what the rows say: rows that measured something else would be worse
/// than none.
func inspect(_ suffixes: SystemSuffixes) -> [Row] {
  let flows = 1_000
  let rounds = 16
  var bench = InspectBench(flows: flows, decidedRounds: rounds, suffixes: suffixes)
  let rows = bench.run(repetitions: repetitions)
  let passes = (repetitions + InspectBench.warmUps) * flows
  guard bench.fastPath == UInt64(passes * rounds), bench.eventCounts.tls == passes,
    bench.eventCounts.http == passes * 4, bench.eventCounts.dns == passes * 2 + 256
  else { fail("CoreBench: the inspector did not do what the rows say: \(bench.fastPath) \(bench.eventCounts)", 1) }
  return rows
}

func crowded(_ suffixes: SystemSuffixes) -> [Row] {
  var bench = InspectBench(flows: 200_000, decidedRounds: 1, suffixes: suffixes)
  let name = "later packet of a decided flow, 200,000 flows in turn"
  return [bench.runDecided(repetitions: max(3, repetitions / 5), name: name)]
}

var results: [String] = []
for part in parts {
  var rows: [Row] = []
  switch part {
  case "parse":
    do {
      rows = try ParseBench(packets: 256, rounds: 20).run(repetitions: repetitions)
    } catch {
      fail("CoreBench: \(error)", 1)
    }
  case "inspect": rows = inspect(suffixes)
  case "crowded": rows = crowded(suffixes)
  default: fail(usage, 64)
  }
  results.append("\"\(part)\":[\(rows.map(\.json).joined(separator: ","))]")
}
print("{\(results.joined(separator: ","))}")
