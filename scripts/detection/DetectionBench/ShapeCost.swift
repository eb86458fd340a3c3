import Glibc
import PacketInspect
import TestSupport

/// What reading a request's shape costs, by what its target is like.
enum ShapeCost {
  static func run() {
    var corpus = TokenCorpus(seed: 9)
    let kinds = TokenCorpus.ordinaryKinds
    // Every kind as often as the others: a third of them carry long tokens, more than agents' requests do.
    measure("\(kinds) ordinary kinds alike", (0..<8 * kinds).map { corpus.ordinary($0 % kinds) })
    for (name, kind) in [
      ("search", 29), ("two UUIDs", 39), ("signed for Azure", 14), ("OAuth authorization", 16), ("with a JWT", 20),
      ("signed for CloudFront", 15), ("signed for Google", 12), ("signed for Amazon", 11),
    ] {
      measure(name, (0..<64).map { _ in corpus.ordinary(kind) })
    }
    measure("encoded path", (0..<64).map { _ in "/a/" + corpus.base64url(300) })
  }

  /// The request on a connection of its own, whole, and the same with a target of one character: the difference is the
  /// target's.
  private static func measure(_ name: String, _ targets: [String]) {
    let with = perRequest(targets)
    let without = perRequest(["/"])
    let mean = targets.reduce(0) { $0 + $1.utf8.count } / targets.count
    print("a request, \(name), \(mean) characters: \(Int(with)) ns, its target \(Int(with - without)) ns")
  }

  private static func perRequest(_ targets: [String]) -> Double {
    var parts = PolicySnapshot.Parts()
    parts.agentTypes["a"] = AgentType(name: "a", budget: nil)
    if let source = IPNetwork("10.88.0.7/32") {
      parts.sessionSources.insert(source, ConfiguredSession(id: "t", agentType: "a"))
    }
    guard let suffixes = SystemSuffixes() else { return 0 }
    let count = 2_000
    var samples: [Double] = []
    for round in 0..<15 {
      var inspector = Inspector(
        policy: PolicySnapshot(parts, epoch: 1), domains: suffixes, limits: InspectorLimits(flows: 8_192))
      var sink = FlagSink()
      var now = Timestamp(seconds: 1_700_000_000)
      var packets: [[[UInt8]]] = [[], [], []]
      for number in 0..<count {
        let client = Endpoint(address: Script.agent, port: UInt16(2_000 + number))
        let server = Endpoint(address: 0x2d00_0001 + UInt32(number % 50), port: 80)
        let head = Message.request("GET", targets[number % targets.count], host: "www.site.example", bodyLength: 0)
        for (place, flags) in [PacketWriter.Flags.syn, PacketWriter.Flags.ack, PacketWriter.Flags.pushAck].enumerated()
        {
          var writer = PacketWriter()
          writer.tcp(
            from: client, to: server, flags: flags, sequence: place == 0 ? 1_000 : 1_001,
            acknowledgement: place == 0 ? 0 : 5_001, payload: place == 2 ? head : [], more: 0)
          packets[place].append(writer.bytes)
        }
      }
      var begin: UInt64 = 0
      for (place, set) in packets.enumerated() {
        if place == 2 { begin = nanoseconds() }
        for packet in set {
          _ = inspector.inspect(
            packet.rawSpan, meta: PacketMeta(hook: .forward, originalLength: packet.count), now: now, into: &sink)
        }
        now = now.advanced(byNanoseconds: 1_000_000)
      }
      if round > 1 { samples.append(Double(nanoseconds() - begin) / Double(count)) }
    }
    return samples.sorted()[samples.count / 2]
  }

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
