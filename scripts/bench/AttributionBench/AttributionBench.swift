import Foundation
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

/// What attribution costs: scripts/bench.sh runs it in a namespace and a control group of its own, and does the
/// statistics. The samples go to the file named by ATTRIBUTION_SAMPLES; sockets are asked about with
/// ATTRIBUTION_SOCKETS=1.
@Suite("Attribution bench", .serialized)
struct AttributionBench {
  private static let variables = ProcessInfo.processInfo.environment

  @Test("measures what attribution costs", .enabled(if: variables["ATTRIBUTION_SAMPLES"] != nil))
  func measure() throws {
    let repetitions = Self.variables["ATTRIBUTION_REPETITIONS"].flatMap { Int($0) } ?? 101
    let file = try #require(Self.variables["ATTRIBUTION_SAMPLES"])
    var first = try Kind.addresses()
    var later = try [Later.forwarded(), .own()]
    var question: [Question] = []
    if Self.variables["ATTRIBUTION_SOCKETS"] == "1" {
      first += try Kind.controlGroups()
      question = try [Question(ipv6: false), Question(ipv6: true)]
    }
    // All kinds in each repetition: what the machine does meanwhile touches all of them.
    for repetition in -2..<repetitions {
      for index in first.indices { first[index].run(repetition) }
      for index in later.indices { later[index].run(repetition) }
      for index in question.indices { question[index].run(repetition) }
    }
    for kind in first { try kind.check() }
    for row in later { try row.check() }
    for row in question { try row.check() }
    let parts = [
      ("first", first.map(\.samples)), ("later", later.map(\.samples)), ("question", question.map(\.samples)),
    ]
    let text = parts.map { name, rows in "\"\(name)\":[\(rows.map(\.json).joined(separator: ","))]" }
    try "{\(text.joined(separator: ","))}\n".write(toFile: file, atomically: true, encoding: .utf8)
  }
}

/// Nanoseconds an operation, ours and the reference's, each pair measured one after the other.
struct Samples {
  var name: String
  var ours: [Double] = []
  var reference: [Double] = []

  init(_ name: String) { self.name = name }

  mutating func add(_ repetition: Int, _ count: Int, ours: () -> Void, reference: () -> Void) {
    var times: [Double] = [0, 0]
    // Who comes first alternates.
    for turn in 0..<2 {
      let isOurs = (turn + repetition) % 2 == 0
      let begin = Self.threadTime()
      if isOurs { ours() } else { reference() }
      times[isOurs ? 0 : 1] = Double(Self.threadTime() - begin) / Double(count)
    }
    // Those before the first warm up.
    guard repetition >= 0 else { return }
    self.ours.append(times[0])
    self.reference.append(times[1])
  }

  var json: String { "{\"name\":\"\(name)\",\"ours\":\(ours),\"reference\":\(reference)}" }

  private static func threadTime() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
