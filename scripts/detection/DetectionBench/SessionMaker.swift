import Glibc

/// Makes one session from one seed: tasks one after the other, steps within them, and for each step lookups,
/// connections, retries and what pages bring along; beside them the model, telemetry, and what is polled.
struct SessionMaker {
  static let extras = ["social", "news", "user-content", "reference", "file-sharing", "package-registry"]

  let kind: AgentKind
  let habits: Habits
  let book: NameBook
  var random: Random
  var script = Script()
  /// Contacts so far, roughly: an attack on the mix needs an onset.
  private var steps = 0
  private var now = 0.0
  /// When the diversion began.
  private(set) var onset: Double?
  private var known: [String: [String]] = [:]
  /// Categories of which a session uses a few hosts only: whose storage, whose repositories, whose API.
  private static let suppliers = [
    "cloud-provider": 2.0, "code-hosting": 2, "package-registry": 3, "llm-api": 2, "api": 8,
  ]

  init(_ kind: AgentKind, _ habits: Habits, _ book: NameBook, seed: UInt64) {
    self.kind = kind
    self.habits = habits
    self.book = book
    random = Random(seed: seed)
  }

  /// Sends a share of steps elsewhere, from a step on.
  struct Diversion {
    var onset: Int
    var share: Double
    /// Steps over which it grows to that share.
    var ramp = 0
    var step: (inout SessionMaker, Double) -> Void
  }

  /// A session of `length` steps, or of a usual number. Returns how long it took.
  mutating func make(length: Int? = nil, diversion: Diversion? = nil) -> Double {
    let length = length ?? min(3_000, max(20, Int(random.logNormal(median: kind.contacts, width: 0.8))))
    var names = kind.baseline.map(\.category)
    var shares = kind.baseline.map { $0.share * (1 - habits.unlisted) }
    for extra in Self.extras where !names.contains(extra) {
      names.append(extra)
      shares.append(habits.unlisted / 4)
    }
    let own = random.dirichlet(shares, habits.scatter)
    var task = own
    var left = 0
    var last: Int?
    now = 5
    while steps < length {
      if left <= 0 {
        task = newTask(own, names)
        left = random.count(mean: kind.task)
        now += random.logNormal(median: kind.pause * 2, width: 1)
      }
      left -= 1
      steps += 1
      if let diversion, onset == nil, steps > diversion.onset { onset = now }
      if let diversion, steps > diversion.onset, random.chance(diversion.shareNow(steps)) {
        diversion.step(&self, now)
      } else {
        let place = last.flatMap { random.chance(habits.repeats) ? $0 : nil } ?? random.pick(task)
        last = place
        step(names[place])
      }
      now += random.logNormal(median: kind.pause, width: 1)
    }
    let end = now
    model(until: end)
    telemetry(until: end)
    extras(until: end)
    return end
  }

  private mutating func newTask(_ own: [Double], _ names: [String]) -> [Double] {
    guard let scatter = habits.taskScatter, let place = names.firstIndex(of: "unknown") else { return own }
    let unknown = random.dirichlet([own[place], 1 - own[place]], habits.taskUnknownScatter)[0]
    var rest = own
    rest[place] = 0
    let sum = rest.reduce(0, +)
    var task = random.dirichlet(rest.map { $0 / sum }, scatter).map { $0 * (1 - unknown) }
    task[place] = unknown
    return task
  }

  private func around(_ median: Double, _ width: Double, _ random: inout Random) -> Int {
    Int(min(2e9, random.logNormal(median: median, width: width)))
  }

  private mutating func around(_ median: Double, _ width: Double) -> Int {
    Int(min(2e9, random.logNormal(median: median, width: width)))
  }

  // MARK: Steps

  private mutating func step(_ category: String) {
    let host: String
    if let before = known[category], !before.isEmpty, let most = Self.suppliers[category],
      random.chance(Double(before.count) / (1 + most))
    {
      host = before[random.zipf(before.count)]
    } else if let before = known[category], !before.isEmpty, random.chance(habits.bursts > 0 ? kind.revisits : 0) {
      host = before[random.zipf(before.count)]
    } else {
      host = book.host(category, &random)
      known[category, default: []].append(host)
    }
    switch category {
    case "documentation", "search", "reference", "news", "social", "unknown", "user-content": page(host, category)
    case "code-hosting": repository(host)
    case "package-registry": packages(host)
    case "cloud-provider", "file-sharing": storage(host)
    default: calls(host, category)
    }
  }

  /// A page with its retries, and what it brings along.
  private mutating func page(_ host: String, _ category: String) {
    visit(host, out: 1_200, into: 60_000)
    // A form, a search, a comment.
    if random.chance(0.03) { tls(host, 2, out: around(4_000, 1), back: around(15_000, 1)) }
    guard habits.bursts > 0, random.chance(kind.fanOut) else { return }
    for _ in 0..<random.count(mean: 2.5) {
      let kindOf = random.pick([0.72, 0.14, 0.12, 0.02])
      let category = ["cdn", "telemetry", "advertising-and-tracking", "unknown"][kindOf]
      let reports = kindOf == 1 || kindOf == 2
      tls(
        book.host(category, &random), random.unit() * 1.5, out: around(reports ? 1_400 : 700, 0.7),
        back: reports ? around(500, 0.5) : around(30_000, 1))
    }
    // A script that records the visit and sends it in pieces.
    if random.chance(0.03) {
      let host = book.host(random.chance(0.8) ? "advertising-and-tracking" : "unknown", &random)
      let pieces = (0..<random.count(mean: 4)).map {
        Script.Exchange(Double($0) * 5, out: around(12_000, 1, &random), back: 200)
      }
      script.flow(host, at: now + 2, pieces)
    }
  }

  private mutating func repository(_ host: String) {
    switch random.pick([0.5, 0.3, 0.08, 0.12]) {
    case 0: visit(host, out: 1_500, into: 40_000)
    case 1: tls(host, 0, out: around(2_000, 0.5), back: around(2_000_000, 1.5))
    case 2:
      let push = [Script.Exchange(0, out: around(60_000, 1.8), back: 3_000)]
      if random.chance(0.35) {
        script.flow(host, .ssh, at: now, push, port: 22)
      } else {
        script.flow(host, at: now, push)
      }
    default: poll(host, mostly: 180)
    }
  }

  private mutating func packages(_ host: String) {
    for _ in 0..<random.count(mean: 7) {
      tls(host, random.unit() * 8, out: around(700, 0.4), back: around(300_000, 1.5))
    }
    if random.chance(0.3) { clear(host, "/pool/main/\(hexadecimal(64))/" + "package_\(random.zipf(90)).deb", 0) }
  }

  private mutating func storage(_ host: String) {
    switch random.pick([0.45, 0.35, 0.2]) {
    case 0: visit(host, out: 1_500, into: 9_000)
    case 1: tls(host, 0, out: 1_600, back: around(3_000_000, 2))
    default: tls(host, 0, out: around(300_000, 1.6), back: 700)
    }
  }

  private mutating func calls(_ host: String, _ category: String) {
    if category == "llm-api" {
      var prompts: [Script.Exchange] = []
      for turn in 0..<random.count(mean: 4) {
        prompts.append(Script.Exchange(Double(turn) * 12, out: around(40_000, 1.2), back: around(9_000, 0.8)))
      }
      return script.flow(host, at: now, prompts)
    }
    visit(host, out: 1_200, into: 9_000)
    if random.chance(0.06) { tls(host, 1, out: around(15_000, 1.2), back: around(1_000, 0.7)) }
    if random.chance(0.03) { poll(host, mostly: 240) }
    // A call that fails is tried again, later and later.
    if random.chance(0.04) {
      var wait = 1.0
      for _ in 0..<random.count(mean: 4) {
        tls(host, wait, out: around(3_000, 0.1), back: 250)
        wait = min(wait * 2, 60)
      }
    }
  }

  /// Asks at a fixed interval whether something is done.
  private mutating func poll(_ host: String, mostly seconds: Double) {
    let interval = [2.0, 5, 10, 15, 30][random.pick([0.2, 0.3, 0.25, 0.1, 0.15])]
    let end = now + random.logNormal(median: seconds, width: 1)
    var at = now
    let size = around(700, 0.3)
    while at < end {
      script.flow(host, at: at, [Script.Exchange(0, out: size + random.zipf(20), back: around(1_600, 0.1))])
      at += interval + random.logNormal(median: 0.5, width: 0.5)
    }
  }

  /// A destination with bursts and retries.
  private mutating func visit(_ host: String, out: Double, into: Double) {
    if random.chance(0.04) { script.lookUp(host, at: now + 2, again: true) }
    var flows = 1
    if habits.bursts > 0, random.chance(habits.bursts) { flows += random.count(mean: 3) }
    if random.chance(0.03) { flows += 2 }
    for flow in 0..<flows {
      let after = 0.1 + Double(flow) * random.unit() * 3
      if random.chance(0.05) {
        clear(host, target(), after)
      } else {
        tls(host, after, out: around(out, 0.8), back: around(into, 1))
      }
    }
  }

  private mutating func tls(_ host: String, _ after: Double, out: Int, back: Int) {
    let ttl: UInt16 = [20, 60, 300, 3_600][random.pick([0.2, 0.3, 0.3, 0.2])]
    script.flow(host, at: now + after, [Script.Exchange(0, out: out, back: back)], ttl: ttl)
  }

  private mutating func clear(_ host: String, _ target: String, _ after: Double) {
    script.flow(
      host, .request(method: "GET", target: target, body: 0), at: now + after,
      [Script.Exchange(0, out: 0, back: around(20_000, 1))], port: 80)
  }

  // MARK: Beside the steps

  /// Prompts that grow turn by turn, on connections that last.
  private mutating func model(until end: Double) {
    let host = ["api.anthropic.com", "api.openai.com", "openrouter.ai"][random.zipf(3)]
    var at = 1 + 4 * random.unit()
    var prompt = 6_000.0
    while at < end {
      var turns: [Script.Exchange] = []
      var offset = 0.0
      for _ in 0..<(5 + random.zipf(60)) {
        turns.append(Script.Exchange(offset, out: Int(prompt), back: around(12_000, 0.9)))
        prompt = prompt > 500_000 ? 20_000 : prompt * (1 + 0.08 * random.unit())
        offset += random.logNormal(median: 14, width: 0.8)
        if at + offset > end { break }
      }
      script.flow(host, at: at, turns)
      at += offset + random.logNormal(median: 45, width: 0.8)
    }
  }

  private mutating func telemetry(until end: Double) {
    if random.chance(0.7) {
      let host = ["o1.ingest.sentry.io", "intake.datadoghq.com", "api.honeycomb.io"][random.zipf(3)]
      let size = 300 + random.zipf(600)
      var at = 60 * random.unit()
      if random.chance(0.5) {
        while at < end {
          script.flow(host, at: at, [Script.Exchange(0, out: size, back: 180)])
          at += 60 + 0.5 * random.unit()
        }
      } else {
        let beats = stride(from: 0.0, to: end - at, by: 60).map { Script.Exchange($0, out: size, back: 180) }
        script.flow(host, at: at, beats)
      }
    }
    // The SDK of a vendor on no list: it sends what it has gathered, when it has.
    if random.chance(0.06) {
      var at = 200 * random.unit()
      while at < end {
        script.flow(
          "events.vendor\(random.zipf(40)).example", at: at, [Script.Exchange(0, out: around(1_500, 0.9), back: 250)])
        at += random.exponential(mean: 600)
      }
    }
  }

  /// What only some sessions do: a clock, sockets kept alive, a database, jobs elsewhere, machines by SSH, pings.
  private mutating func extras(until end: Double) {
    if random.chance(0.2) {
      // Its address is asked for once; then it is polled ever more seldom (RFC 5905 section 7.3: 64 to 1024 s).
      let address = script.lookUp("2.pool.ntp.org", at: 1)
      var at = 2.0
      var interval = 64.0
      while at < end {
        script.datagram(
          to: Endpoint(address: address, port: 123), [0x23] + [UInt8](repeating: 0, count: 47), at: at)
        at += interval
        if random.chance(0.15) { interval = min(1_024, interval * 2) }
      }
    }
    if random.chance(0.05) {
      let host = book.host("unknown", &random)
      let pings = (0..<random.count(mean: 60)).map { Script.Exchange(Double($0) * 30, out: 45, back: 40) }
      script.flow("push." + host, at: end * random.unit(), pings)
    }
    if random.chance(0.05) {
      for second in 0..<10 { script.echo(Script.address("ping"), length: 56, at: end * 0.3 + Double(second)) }
    }
    guard kind.name == "coding" || kind.name == "data" else { return }
    if random.chance(0.1) {
      now = end * random.unit()
      poll("jobs.runner\(random.zipf(30)).example", mostly: 400)
    }
    if random.chance(0.15) {
      let turns = (0..<random.count(mean: 60)).map {
        Script.Exchange(
          Double($0) * 9 * (0.5 + random.unit()), out: around(700, 1, &random), back: around(6_000, 1, &random))
      }
      script.flow("db.\(book.host("cloud-provider", &random))", .database, at: 20, turns, port: 5_432)
    }
    if random.chance(0.1) {
      let turns = (0..<random.count(mean: 15)).map {
        Script.Exchange(Double($0) * 4, out: around(300, 0.6, &random), back: 2_000)
      }
      script.flow("build.\(book.host("unknown", &random))", .ssh, at: end * random.unit(), turns, port: 22)
    }
  }

  // MARK: What stands in requests in the clear

  /// Targets as they occur: mostly plain; now and then a signed address, a cursor, a click, a sign-in, a digest.
  private mutating func target() -> String {
    switch random.pick([0.74, 0.07, 0.05, 0.04, 0.05, 0.05]) {
    case 1: return "/search?q=how+to+\(random.zipf(900))&hl=en&page=\(1 + random.zipf(9))&sort=date"
    case 2:
      return "/bucket/data/part-\(random.zipf(900)).parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        + "AKIA\(text(16, Self.upper))%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z"
        + "&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=\(text(380, Self.mixed))"
        + "&X-Amz-Signature=\(hexadecimal(64))"
    case 3: return "/landing?utm_source=mail&utm_campaign=spring&gclid=\(text(91, Self.mixed))"
    case 4: return "/api/v2/items?limit=100&cursor=\(text(60 + random.zipf(120), Self.mixed))"
    case 5: return "/assets/app.\(hexadecimal(20)).js?v=\(hexadecimal(32))"
    default: return "/guide/\(random.zipf(900))/chapter-\(random.zipf(40))/index.html"
    }
  }

  static let upper = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
  static let mixed = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  static let digits = Array("0123456789abcdef".utf8)

  mutating func text(_ length: Int, _ alphabet: [UInt8]) -> String {
    String(decoding: (0..<length).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }, as: UTF8.self)
  }

  mutating func hexadecimal(_ length: Int) -> String { text(length, Self.digits) }
}

extension SessionMaker.Diversion {
  fileprivate func shareNow(_ steps: Int) -> Double {
    ramp > 0 ? share * min(1, Double(steps - onset) / Double(ramp)) : share
  }
}
