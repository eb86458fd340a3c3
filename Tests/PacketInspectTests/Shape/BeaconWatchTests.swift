import TestSupport
import Testing

@testable import PacketInspect

@Suite("Beacons")
struct BeaconWatchTests {
  /// Contacts one after the other; the findings, with the time of each.
  private func run(
    _ intervals: [Double], sizes: (Int) -> UInt64 = { _ in 300 }, policy: ShapePolicy = ShapePolicy()
  ) -> [(time: Double, finding: BeaconFinding)] {
    var watch = BeaconWatch()
    var now = 0.0
    var previous: Timestamp?
    var found: [(Double, BeaconFinding)] = []
    for (number, interval) in ([0] + intervals).enumerated() {
      now += interval
      let time = Timestamp(nanoseconds: Int64(now * 1e9))
      if let finding = watch.contact(7, previous: previous, policy: policy, at: time) { found.append((now, finding)) }
      watch.noteSize(7, sizes(number))
      previous = time
    }
    return found
  }

  @Test(
    "are found at intervals from seconds to a quarter of an hour, with jitter of fifteen per cent", arguments: 0..<8)
  func found(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    for interval in [5.0, 60, 600, 900] {
      let count = max(24, Int(5_400 / interval))
      let intervals = (0..<count).map { _ in interval * Double.random(in: 0.85...1.15, using: &random) }
      let found = run(intervals)
      #expect(found.count == 1, "\(interval)")
      guard let first = found.first?.finding else { continue }
      #expect(first.interval > interval * 0.85 && first.interval < interval * 1.15)
      #expect(first.contacts >= 12 && first.span >= 3_600_000_000_000 && first.size == 300)
    }
  }

  @Test("need so many contacts and so long a time, and not one less")
  func boundaries() {
    var policy = ShapePolicy()
    policy.beaconContacts = 20
    policy.beaconSpan = 0
    #expect(run(Array(repeating: 10, count: 18), policy: policy).isEmpty)
    #expect(run(Array(repeating: 10, count: 19), policy: policy).first?.time == 190)
    policy.beaconSpan = 300_000_000_000
    #expect(run(Array(repeating: 10, count: 29), policy: policy).isEmpty)
    #expect(run(Array(repeating: 10, count: 30), policy: policy).first?.time == 300)
  }

  @Test("are not what comes at random, in growing steps, or in bursts", arguments: 0..<10)
  func irregular(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var wide: [Double] = []
    for _ in 0..<1_000 { wide.append(Double.random(in: 10...60, using: &random)) }
    #expect(run(wide).isEmpty)
    #expect(run((0..<16).map { 3 * Double(1 << $0) }).isEmpty)
    // Requests without a pause are one errand however long it takes.
    #expect(run(Array(repeating: 1.5, count: 3_000)).isEmpty)
  }

  @Test("are not jobs that are asked after for a while, again and again")
  func polling() {
    var intervals: [Double] = []
    for _ in 0..<20 { intervals += Array(repeating: 10, count: 120) + [900] }
    #expect(run(intervals).isEmpty)
  }

  @Test("are not one job that is asked after for less than an hour, but are from then on")
  func oneJob() {
    #expect(run(Array(repeating: 10, count: 359)).isEmpty)
    #expect(run(Array(repeating: 10, count: 500)).first?.time == 3_600)
  }

  @Test("are not calls whose sizes vary, nor large ones")
  func sizes() {
    var random = SplitMix64(seed: 5)
    let regular = Array(repeating: 60.0, count: 200)
    let varying = (0...200).map { _ in UInt64.random(in: 200...6_000, using: &random) }
    #expect(run(regular, sizes: { varying[$0] }).isEmpty)
    #expect(run(regular, sizes: { _ in 200_000 }).isEmpty)
    #expect(run(regular, sizes: { $0 % 5 == 0 ? 9_000 : 300 }).count == 1)
  }

  @Test("are flagged once while they last, and again after they were over")
  func again() {
    let steady = Array(repeating: 60.0, count: 100)
    #expect(run(steady + steady).count == 1)
    #expect(run(steady + [3_600] + steady).count == 2)
  }

  @Test("that are only looked up count, and those with connections are judged at them")
  func lookUps() {
    for hasFlows in [false, true] {
      var watch = BeaconWatch()
      var atLookUp = 0
      var atFlow = 0
      for number in 0..<100 {
        let now = Timestamp(seconds: Int64(number) * 60)
        let before = Timestamp(seconds: Int64(number - 1) * 60)
        if watch.contact(1, previous: number > 0 ? before : nil, isLookUp: true, policy: ShapePolicy(), at: now) != nil
        {
          atLookUp += 1
        }
        let later = now.advanced(byNanoseconds: 20_000_000)
        if hasFlows, watch.contact(1, previous: now, policy: ShapePolicy(), at: later) != nil { atFlow += 1 }
      }
      #expect(atLookUp == (hasFlows ? 0 : 1))
      #expect(atFlow == (hasFlows ? 1 : 0))
    }
  }

  @Test("do not hide among many other contacts, and what is remembered is bounded", arguments: 0..<5)
  func crowd(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var watch = BeaconWatch()
    var latest: [UInt32: Timestamp] = [:]
    var found: Set<UInt32> = []
    var times: [(Double, UInt32)] = (0..<60).map { (Double($0) * 600, 1) }
    for _ in 0..<4_000 {
      times.append((Double.random(in: 0...36_000, using: &random), UInt32.random(in: 2...200, using: &random)))
    }
    for (time, tag) in times.sorted(by: { $0.0 < $1.0 }) {
      let now = Timestamp(nanoseconds: Int64(time * 1e9))
      if watch.contact(tag, previous: latest[tag], policy: ShapePolicy(), at: now) != nil { found.insert(tag) }
      latest[tag] = now
      #expect(watch.count <= BeaconWatch.maximumWatched)
    }
    #expect(found == [1])
  }

  @Test("have intervals that are kept to one part in a thousand")
  func compact() {
    for value: UInt64 in [0, 1, 2_047, 2_048, 60_000, 86_400_000, 1 << 41] {
      let kept = CompactNumber(value).value
      #expect(kept <= value && value - kept <= value / 1_000)
    }
    #expect(CompactNumber(.max).code == .max)
    #expect(CompactNumber(5_000) < CompactNumber(5_010))
  }
}
