import Glibc
import PacketInspect
import TestSupport

/// What reading a request's shape costs, by what its target is like.
enum ShapeCost {
  static func run() {
    var random = Random(seed: 9)
    func text(_ length: Int, _ alphabet: [UInt8]) -> String {
      String(
        decoding: (0..<length).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }, as: UTF8.self)
    }
    let plain = "/guide/chapter-12/index.html?page=3&size=50"
    let signed =
      "/bucket/data/part-17.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(text(16, SessionMaker.upper))"
      + "%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600"
      + "&X-Amz-SignedHeaders=host&X-Amz-Security-Token=\(text(380, SessionMaker.mixed))"
      + "&X-Amz-Signature=\(text(64, SessionMaker.digits))"
    let encoded = "/a/\(text(400, SessionMaker.mixed))"
    for (name, target) in [("plain", plain), ("signed address", signed), ("encoded path", encoded)] {
      measure(name, target)
    }
  }

  /// The request on a connection of its own, whole, and the same with a target of one character: the difference is the
  /// target's.
  private static func measure(_ name: String, _ target: String) {
    let with = perRequest(target)
    let without = perRequest("/")
    print("a request, \(name), \(target.utf8.count) characters: \(Int(with)) ns, its target \(Int(with - without)) ns")
  }

  private static func perRequest(_ target: String) -> Double {
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
        let head = Message.request("GET", target, host: "www.site.example", bodyLength: 0)
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
