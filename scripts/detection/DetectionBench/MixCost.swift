import Glibc
import PacketInspect

/// What one counted contact costs.
enum MixCost {
  static func run() {
    var shares: [PacketInspect.Category: Double] = [:]
    let names = CategoryNames()
    for (name, share) in AgentKind.all[0].expected {
      if let category = names.category(named: name) { shares[category] = share }
    }
    guard let baseline = MixBaseline(shares) else { return }
    let policy = MixPolicy(baseline)
    var random = Random(seed: 5)
    let kind = AgentKind.all[0].expected
    let categories = (0..<4_096).map { _ in
      names.category(named: kind[random.pick(kind.map(\.share))].category) ?? .unknown
    }
    let hosts = (0..<64).map { DestinationKey.domain("a-usual-site-\($0).example") }
    var samples: [Double] = []
    var flags = 0
    for _ in 0..<41 {
      var mix = CategoryMix(baseline)
      let start = nanoseconds()
      for number in 0..<4_096 {
        if mix.add(categories[number], host: hosts[(number * 7) & 63], policy: policy) != nil { flags += 1 }
      }
      samples.append(Double(nanoseconds() - start) / 4_096)
    }
    samples.sort()
    print(
      "one counted contact: median \(Int(samples[20])) ns, least \(Int(samples[0])) ns, most \(Int(samples[40])) ns (\(flags) flags)"
    )
  }

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
