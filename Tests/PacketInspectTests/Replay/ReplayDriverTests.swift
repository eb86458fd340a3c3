import Testing

@testable import PacketInspect

@Suite("Replay driver")
struct ReplayDriverTests {
  private func replay(_ file: [UInt8]) -> (summary: ReplaySummary, events: [Event], inspector: Inspector<TinySuffixes>)
  {
    var inspector = Inspector(policy: TestPolicy(denied: ["denied.net"]).snapshot, domains: TinySuffixes())
    var sink = EventCollector()
    let summary = ReplayDriver.replay(file.rawSpan, through: &inspector, into: &sink)
    return (summary, sink.events, inspector)
  }

  private let connection = TCPClient("93.184.216.10:443")

  private func names(_ events: [Event]) -> [String] {
    events.compactMap { if case .tls(let hello) = $0.body { hello.serverName?.text } else { nil } }
  }

  @Test("gives the events of a file that is cut short, then the error")
  func truncated() {
    var file = PcapWriter()
    file.addRecord(seconds: 10, ticks: 0, PacketBuilder.ethernet(connection.syn))
    file.addRecord(seconds: 10, ticks: 1, PacketBuilder.ethernet(connection.segment(hello("good.example"))))
    let whole = file.bytes.count
    file.addRecord(seconds: 10, ticks: 2, PacketBuilder.ethernet(connection.segment([1, 2, 3], at: 900)))
    for end in whole + 1..<file.bytes.count {
      let result = replay(Array(file.bytes[..<end]))
      #expect(result.summary.frames == 2)
      #expect(names(result.events) == ["good.example"])
      #expect(result.summary.error?.frame == 3)
      #expect(result.inspector.flowCount == 0)
    }
    #expect(replay(file.bytes).summary.error == nil)
    #expect(replay([]).summary.error != nil)
  }

  @Test("never lets time step back, whatever the timestamps say")
  func monotonic() {
    var file = PcapWriter()
    let times: [UInt32] = [100, 50, 4_000_000_000, 7, 0, 101]
    for (index, seconds) in times.enumerated() {
      let question = DNSBuilder(id: 1, questions: [DNSBuilder.question(DNSBuilder.name("n\(index).example"))])
      let packet = PacketBuilder.udp(
        from: Endpoint(address("10.88.0.7"), UInt16(4_000 + index)), to: InspectorLab.resolver, payload: question.bytes)
      file.addRecord(seconds: seconds, ticks: 0, PacketBuilder.ethernet(packet))
    }
    let result = replay(file.bytes)
    let questions = result.events.filter { if case .dnsQuery = $0.body { true } else { false } }
    #expect(questions.count == times.count)
    #expect(zip(questions, questions.dropFirst()).allSatisfy { $0.time <= $1.time })
    #expect(result.summary.start == Timestamp(seconds: 100))
    #expect(result.summary.end == Timestamp(seconds: 4_000_000_000))
  }

  @Test("judges a fragmented datagram once, as the whole it is, and no fragment by itself")
  func fragments() {
    let name = DNSBuilder.name(String(repeating: "a", count: 60) + ".denied.net")
    let datagram = PacketBuilder.udp(
      from: connection.client, to: InspectorLab.resolver,
      payload: DNSBuilder(questions: [DNSBuilder.question(name)]).bytes)
    let segment = connection.segment(hello("sub.denied.net"))
    for order in [false, true] {
      var file = PcapWriter()
      file.addRecord(seconds: 9, ticks: 0, PacketBuilder.ethernet(connection.syn))
      for packet in [datagram, segment] {
        let parts = PacketBuilder.fragments(of: packet, size: 24)
        for part in order ? parts.reversed() : parts {
          file.addRecord(seconds: 10, ticks: 0, PacketBuilder.ethernet(part))
        }
      }
      let result = replay(file.bytes)
      #expect(result.summary.reassembled == 2)
      #expect(result.inspector.counters.packets == 3)
      #expect(result.inspector.counters.rejected == 2)
      #expect(names(result.events) == ["sub.denied.net"])
    }
  }

  @Test("reads on behind what a capture lost, and what waited at its end")
  func gaps() {
    var file = PcapWriter()
    let first = request("good.example")
    file.addRecord(seconds: 1, ticks: 0, PacketBuilder.ethernet(connection.syn))
    // The first request is missing; the second came.
    file.addRecord(
      seconds: 1, ticks: 1,
      PacketBuilder.ethernet(connection.segment(request("denied.net"), at: UInt32(first.count))))
    let result = replay(file.bytes)
    #expect(result.events.contains { $0.verdict?.reason == .deniedName })
  }

  @Test("takes no longer for each packet when there are many flows")
  func manyFlows() {
    // Each flow of UDP stays for two minutes. Looking at all of them for each packet would take minutes here.
    var file = PcapWriter()
    for number in 0..<20_000 {
      let packet = PacketBuilder.udp(
        from: Endpoint(address("10.88.0.7"), UInt16(1_024 + number)), to: "93.184.216.10:9999", payload: [1])
      file.addRecord(seconds: 1, ticks: UInt32(number * 10), PacketBuilder.ethernet(packet))
    }
    let clock = ContinuousClock()
    var frames: UInt64 = 0
    let time = clock.measure { frames = replay(file.bytes).summary.frames }
    #expect(frames == 20_000)
    #expect(time < .seconds(10))
  }

  @Test("gives the same lines twice")
  func repeatable() {
    var file = PcapWriter()
    for number in 0..<500 {
      let question = DNSBuilder(id: 1, questions: [DNSBuilder.question(DNSBuilder.name("n\(number % 50).example"))])
      let packet = PacketBuilder.udp(
        from: Endpoint(address("10.88.0.\(number % 200)"), 4_000), to: InspectorLab.resolver, payload: question.bytes)
      file.addRecord(seconds: UInt32(number), ticks: 0, PacketBuilder.ethernet(packet))
    }
    let once = replay(file.bytes).events.map { "\($0)" }
    #expect(once == replay(file.bytes).events.map { "\($0)" })
    #expect(once.count > 500)
  }
}
