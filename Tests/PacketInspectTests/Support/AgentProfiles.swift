@testable import PacketInspect

/// Simulated sessions of four types of agents, with what honest ones do; and attacks to hide in them.
enum AgentProfile: CaseIterable {
  case research, coding, browsing, operations

  /// An honest session of so many hours, or of half an hour to four.
  func session(seed: UInt64, hours: Double? = nil) -> AgentTraffic {
    var traffic = AgentTraffic(seed: seed)
    let hours = hours ?? traffic.uniform(0.5, 4)
    let end = hours * 3_600
    traffic.models(until: end)
    traffic.telemetry(until: end)
    switch self {
    case .research: traffic.reading(until: end)
    case .coding: traffic.coding(until: end)
    case .browsing: traffic.browsing(until: end)
    case .operations: traffic.operations(until: end)
    }
    return traffic
  }
}

/// What a session that is turned against its operator does, fast and slow.
enum Attack: CaseIterable {
  case dripFast, dripSlow, dripOneHost, uploadFast, uploadSlow, beaconFast, beaconSlow, beaconInside, literal,
    literalSlow

  var kind: FlagKind {
    switch self {
    case .dripFast, .dripSlow, .dripOneHost: .drip
    case .uploadFast, .uploadSlow: .uploadHeavy
    case .beaconFast, .beaconSlow, .beaconInside: .beacon
    case .literal, .literalSlow: .addressLiteral
    }
  }

  func add(to traffic: inout AgentTraffic) {
    typealias Exchange = AgentTraffic.Exchange
    switch self {
    case .dripFast:
      for number in 0..<300 {
        let at = 60 + Double(number) * 5 + traffic.uniform(0, 3)
        traffic.flow("drop\(number % 100).net", at: at, [Exchange(0, out: 8_000, back: 300)])
      }
    case .dripSlow:
      for number in 0..<120 {
        let at = 60 + Double(number) * 300 + traffic.uniform(0, 200)
        traffic.flow("drop\(number % 60).net", at: at, [Exchange(0, out: traffic.integer(8_000, 14_000), back: 400)])
      }
    case .dripOneHost:
      for number in 0..<600 {
        let at = 60 + Double(number) * 50 + traffic.uniform(0, 40)
        traffic.flow("drop.net", at: at, [Exchange(0, out: traffic.integer(6_000, 14_000), back: 400)])
      }
    case .uploadFast:
      traffic.flow("drop.net", at: 300, [Exchange(0, out: 60_000_000, back: 2_000)])
    case .uploadSlow:
      var pieces: [Exchange] = []
      var at = 0.0
      for _ in 0..<240 {
        pieces.append(Exchange(at, out: 250_000, back: 200))
        at += traffic.uniform(2, 30)
      }
      traffic.flow("drop.net", at: 300, pieces)
    case .beaconFast:
      var at = 100.0
      for _ in 0..<150 {
        traffic.flow("control.net", at: at, [Exchange(0, out: traffic.integer(280, 330), back: 250)])
        at += 30 * traffic.uniform(0.85, 1.15)
      }
    case .beaconSlow:
      var at = 100.0
      for _ in 0..<30 {
        traffic.flow("control.net", at: at, [Exchange(0, out: traffic.integer(280, 330), back: 250)])
        at += 600 * traffic.uniform(0.85, 1.15)
      }
    case .beaconInside:
      var pieces: [Exchange] = []
      var at = 0.0
      for _ in 0..<80 {
        pieces.append(Exchange(at, out: traffic.integer(280, 330), back: 250))
        at += 60 * traffic.uniform(0.9, 1.1)
      }
      traffic.flow("control.net", at: 100, pieces)
    case .literal:
      traffic.flow(to: "94.140.1.1:443", name: nil, .tls, at: 400, [Exchange(0, out: 900, back: 3_000)])
    case .literalSlow:
      for hour in 0..<6 {
        traffic.flow(
          to: "94.140.1.1:443", name: "94.140.1.1", .tls, at: 400 + Double(hour) * 3_600,
          [Exchange(0, out: 500, back: 3_000)])
      }
    }
  }
}

extension AgentTraffic {
  /// A streaming model API: prompts that grow to hundreds of kilobytes, turn after turn, on connections that last.
  mutating func models(until end: Double) {
    let host = ["anthropic.com", "openai.com", "openrouter.ai"][integer(0, 2)]
    var at = uniform(1, 5)
    var prompt = 6_000.0
    while at < end {
      var exchanges: [Exchange] = []
      var offset = 0.0
      for _ in 0..<integer(5, 60) {
        exchanges.append(Exchange(offset, out: Int(prompt), back: Int(around(12_000, spread: 0.9))))
        prompt = prompt > 500_000 ? 20_000 : prompt * uniform(1, 1.08)
        offset += around(14, spread: 0.8)
        if at + offset > end { break }
      }
      flow("api.\(host)", at: at, exchanges)
      at += offset + around(20, spread: 0.8)
    }
  }

  /// A heartbeat each minute on a connection of its own or a lasting one, and an SDK that sends what it has gathered.
  mutating func telemetry(until end: Double) {
    let heartbeat = ["o1.ingest.sentry.io", "intake.datadoghq.com", "api.honeycomb.io"][integer(0, 2)]
    var at = uniform(1, 60)
    let size = integer(300, 900)
    if happens(0.5) {
      while at < end {
        flow(heartbeat, at: at, [Exchange(0, out: size, back: 180)])
        at += 60 + uniform(-0.2, 0.5)
      }
    } else {
      flow(heartbeat, at: at, stride(from: 0.0, to: end - at, by: 60).map { Exchange($0, out: size, back: 180) })
    }
    guard happens(0.4) else { return }
    at = uniform(1, 30)
    while at < end {
      if happens(0.7) {
        flow("events.sdk-vendor.com", at: at, [Exchange(0, out: Int(around(1_500, spread: 0.9)), back: 250)])
      }
      at += 30 + uniform(0, 1)
    }
  }

  /// Searches and pages, with the hosts that pages pull in.
  mutating func reading(until end: Double) {
    var at = uniform(5, 20)
    while at < end {
      flow("search-engine.com", at: at, [Exchange(0, out: integer(500, 1_200), back: integer(20_000, 200_000))])
      for _ in 0..<integer(1, 4) {
        at += around(8, spread: 1)
        page("site\(ranked(300)).org", at: at, others: integer(0, 3))
      }
      at += around(45, spread: 1)
    }
  }

  private mutating func page(_ name: String, at time: Double, others: Int) {
    flow(
      name, happens(0.3) ? .quic : .tls, at: time,
      [Exchange(0, out: integer(400, 1_500), back: Int(around(80_000, spread: 1)))])
    for _ in 0..<others {
      flow(
        "cdn\(ranked(60)).net", happens(0.4) ? .quic : .tls, at: time + uniform(0.2, 1.5),
        [Exchange(0, out: integer(400, 3_000), back: Int(around(60_000, spread: 1.2)))])
    }
  }

  /// Package downloads in bursts, clones and pushes over HTTPS and SSH, documentation, and builds that are polled.
  mutating func coding(until end: Double) {
    var at = uniform(5, 30)
    while at < end {
      switch integer(0, 9) {
      case 0...2:
        for _ in 0..<integer(3, 30) {
          flow(
            "files.packages.org", at: at + uniform(0, 8),
            [Exchange(0, out: integer(300, 900), back: Int(around(400_000, spread: 1.5)))])
        }
      case 3: flow("codehost.com", at: at, [Exchange(0, out: 2_000, back: Int(around(2_000_000, spread: 1.5)))])
      case 4:
        let size = Int(min(40_000_000, around(80_000, spread: 1.6)))
        flow("codehost.com", happens(0.4) ? .ssh : .tls, at: at, [Exchange(0, out: size, back: 1_500)], port: 443)
      case 5, 6: page("docs\(ranked(80)).dev", at: at, others: integer(0, 2))
      case 7 where happens(0.5): poll("ci.codehost-actions.com", at: at)
      default:
        flow("api.codehost.com", at: at, [Exchange(0, out: integer(500, 4_000), back: integer(1_000, 40_000))])
      }
      at += around(60, spread: 1)
    }
  }

  /// A job asked after at a fixed interval, for minutes.
  private mutating func poll(_ name: String, at start: Double) {
    let interval = [5.0, 10, 15, 30][integer(0, 3)]
    let end = start + uniform(60, 1_500)
    var at = start
    while at < end {
      flow(name, at: at, [Exchange(0, out: integer(600, 640), back: integer(1_500, 1_900))])
      at += interval + around(0.6, spread: 0.5)
    }
  }

  /// Pages with dozens of third parties, whose scripts report back; sockets that are kept alive.
  mutating func browsing(until end: Double) {
    var at = uniform(2, 10)
    while at < end {
      let site = "shop\(ranked(120)).com"
      page(site, at: at, others: integer(4, 12))
      for _ in 0..<integer(2, 8) {
        flow(
          "metrics\(ranked(50)).io", happens(0.4) ? .quic : .tls, at: at + uniform(0.5, 4),
          [Exchange(0, out: Int(around(1_100, spread: 0.6)), back: integer(200, 700))])
      }
      if happens(0.1) {
        flow(
          "replay.session-tool.com", at: at + 2,
          (0..<integer(1, 8)).map { Exchange(Double($0) * 5, out: Int(around(12_000, spread: 1)), back: 200) })
      }
      if happens(0.05) {
        flow(
          "push.\(site)", at: at, (0..<integer(5, 40)).map { Exchange(Double($0) * 30, out: 45, back: 40) })
      }
      at += around(40, spread: 1)
    }
  }

  /// Datasets, buckets, a managed database, machines by address, the clock, a ping, and calls that are tried again.
  mutating func operations(until end: Double) {
    let clock = uniform(1, 60)
    for time in stride(from: clock, to: end, by: 64) {
      lookUp("pool.time-servers.org", at: time)
      datagram("pool.time-servers.org", port: 123, bytes: [0x23] + [UInt8](repeating: 0, count: 47), at: time)
    }
    flow(
      "db.managed-sql.com", .database, at: 20,
      (0..<integer(20, 200)).map { _ in Exchange(0, out: Int(around(700, spread: 1)), back: 9_000) }.enumerated().map {
        Exchange(Double($0.offset) * uniform(3, 40), out: $0.element.out, back: $0.element.back)
      }, port: 5432)
    var at = uniform(5, 30)
    while at < end {
      switch integer(0, 9) {
      case 0: flow("datasets.org", at: at, [Exchange(0, out: 900, back: Int(around(200_000_000, spread: 1.2)))])
      case 1:
        let size = Int(min(45_000_000, around(900_000, spread: 1.2)))
        flow("bucket.objectstore.com", at: at, [Exchange(0, out: size, back: 600)])
      case 2:
        flow(
          to: Endpoint(addressOf("machine\(integer(0, 3))"), 22), name: nil, .ssh, at: at,
          (0..<integer(3, 30)).map { Exchange(Double($0) * 4, out: integer(100, 900), back: integer(200, 8_000)) })
      case 3 where happens(0.5): poll("status.job-runner.com", at: at)
      case 4:
        var wait = 1.0
        for _ in 0..<integer(2, 7) {
          flow("flaky.api-vendor.com", at: at, [Exchange(0, out: 3_000, back: 200)])
          wait *= 2
          at += wait
        }
      case 5: for second in 0..<10 { echo("gateway-check", at: at + Double(second)) }
      default:
        flow(
          "api.vendor\(ranked(12)).com", at: at, [Exchange(0, out: integer(500, 6_000), back: integer(500, 60_000))])
      }
      at += around(50, spread: 1)
    }
  }
}
