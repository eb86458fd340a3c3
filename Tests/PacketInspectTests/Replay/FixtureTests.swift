import Foundation
import PacketInspect
import TestSupport
import Testing

@testable import nfq_egressd

@Suite("Fixtures")
struct FixtureTests {
  private static var updates: Bool { ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1" }

  @Test("are all there")
  func present() {
    #expect(Fixture.names.count >= 24)
  }

  @Test("give the events that stand beside them", arguments: Fixture.names)
  func expected(name: String) throws {
    let lines = try Fixture.lines(name)
    let file = Fixture.expectedFile(name)
    if Self.updates {
      try (lines.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
      return
    }
    let expected = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(lines.count == expected.count)
    for (line, wanted) in zip(lines, expected) { #expect(line == wanted) }
  }

  @Test("give events that the event schema of docs allows, to the last key", arguments: Fixture.names)
  func schema(name: String) throws {
    let schema = try JSONSchema(file: ConfigurationFixture.repositoryFile("docs/event.schema.json"))
    for line in try Fixture.lines(name) { #expect(schema.faults(of: try Fixture.json(line)) == [], "\(line)") }
  }

  @Test("hold a request's secrets that no event shows")
  func secrets() throws {
    for name in Fixture.names where name.hasPrefix("http") {
      for line in try Fixture.lines(name) {
        for secret in ["/guide", "/today", "/status", "User-Agent", "curl/"] {
          #expect(!line.contains(secret), "\(name): \(line)")
        }
      }
    }
  }
}

/// The packets of all fixtures, damaged.
@Suite("Damaged fixtures")
struct FixtureMutationTests {
  private func inspect(
    _ packet: [UInt8], _ inspector: inout Inspector<PublicSuffixes>, _ sink: inout EventCollector, _ hook: Hook
  ) {
    let meta = PacketMeta(hook: hook, originalLength: packet.count)
    _ = inspector.inspect(packet.rawSpan, meta: meta, now: Timestamp(seconds: 1_800_000_000), into: &sink)
    if sink.events.count > 1_000 { sink.events.removeAll(keepingCapacity: true) }
  }

  @Test(
    "Every prefix and every single-byte mutation of each fixture's packets goes through the inspector without a trap")
  func mutations() throws {
    var random = SplitMix64(seed: 20_261_122)
    var runs: UInt64 = 0
    var inspections: UInt64 = 0
    let limits = InspectorLimits(flows: 512, namesPerSession: 64, streamBytes: 1 << 20)
    for name in Fixture.names {
      var inspector = Inspector(
        policy: try Fixture.policy(name), domains: try PublicSuffixes(), quicCryptography: try LibcryptoQUIC(),
        limits: limits)
      var sink = EventCollector()
      for packet in try Fixture.packets(name) {
        for length in 0..<packet.count {
          inspect(Array(packet[..<length]), &inspector, &sink, length % 2 == 0 ? .replay : .forward)
          runs += 1
        }
        var mutant = packet
        for index in packet.indices {
          let original = packet[index]
          // A wrong value of each kind in turn, by chance: one bit low, one bit high, least, most.
          let values = [original ^ 0x01, original ^ 0x80, 0, 0xff]
          mutant[index] = values[Int.random(in: 0..<values.count, using: &random)]
          inspect(mutant, &inspector, &sink, index % 2 == 0 ? .replay : .forward)
          mutant[index] = original
          runs += 1
        }
        inspect(packet, &inspector, &sink, .replay)
        runs += 1
        #expect(inspector.flowCount <= limits.flows)
        #expect(inspector.heldStreamBytes <= limits.streamBytes + StreamAssembler.window)
      }
      let counters = inspector.counters
      inspections += counters.packets
      #expect(counters.accepted + counters.dropped + counters.rejected == counters.packets)
      for index in 0..<inspector.sessions.count {
        #expect(inspector.sessions[Int32(index)].budget.used <= limits.namesPerSession)
      }
      inspector.finish(now: Timestamp(seconds: 1_800_000_000), into: &sink)
      #expect(inspector.flowCount == 0 && inspector.streamCount == 0)
    }
    #expect(inspections == runs)
    #expect(runs > 100_000)
    print("damaged fixtures: \(runs) packets inspected")
  }

  @Test("Every prefix of each capture file replays to its end or to an error")
  func filePrefixes() throws {
    for name in Fixture.names {
      let file = try Fixture.capture(name)
      let policy = try Fixture.policy(name)
      for length in stride(from: 0, to: file.count, by: 97) {
        var inspector = Inspector(policy: policy, domains: TinySuffixes(), limits: InspectorLimits(flows: 512))
        var sink = EventCollector()
        let prefix = Array(file[..<length])
        let summary = ReplayDriver.replay(prefix.rawSpan, through: &inspector, into: &sink)
        #expect(summary.frames == inspector.counters.packets || summary.error != nil)
        #expect(inspector.flowCount == 0)
      }
    }
  }
}
