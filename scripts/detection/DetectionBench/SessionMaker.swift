import Glibc

/// How sessions of one type differ and how their contacts hang together.
struct Habits {
  var name: String
  /// A session's own mix lies around its type's baseline with this concentration.
  var scatter: Double = 60
  /// A task's mix of known categories lies around its session's with this concentration; nil: there are no tasks.
  var taskScatter: Double? = 12
  /// The same for the task's share of `unknown`.
  var taskUnknownScatter: Double = 150
  /// The chance that a step is of the category of the one before for no other reason.
  var repeats = 0.1
  /// The chance of a burst: several connections to the same host within seconds.
  var bursts = 0.3
  /// The share of contacts in categories that the baseline does not list.
  var unlisted = 0.01

  static let all = [
    Habits(name: "as assumed: own mix around 60", taskScatter: nil, repeats: 0),
    Habits(name: "tasks, bursts, retries, fan-out"),
    Habits(name: "the same, own mix around 30", scatter: 30),
    Habits(name: "the same, strong tasks and repeats", taskScatter: 6, taskUnknownScatter: 80, repeats: 0.3),
    Habits(name: "the same, 4 % unlisted categories", unlisted: 0.04),
  ]
  /// Worse than promised for: tasks that differ greatly in how much is unknown.
  static let harsh = Habits(name: "beyond the assumptions: tasks differ in unknown (20)", taskUnknownScatter: 20)
}

/// A shift of the mix to unknown destinations.
struct Attack {
  /// Contacts before it begins.
  var onset: Int
  /// The share of contacts it takes for itself; the rest goes on as before.
  var share: Double
  /// Contacts over which it grows to that share; 0 for at once.
  var ramp = 0
}

/// Makes one session from one seed: tasks one after the other, steps within them, and for each step lookups,
/// connections, retries and what pages bring along.
struct SessionMaker {
  static let contactGap = 30.0
  /// Not counted where the baseline does not list them.
  static let followers = ["cdn", "telemetry", "advertising-and-tracking"]
  static let extras = ["social", "news", "user-content", "reference", "file-sharing", "package-registry"]

  let kind: AgentKind
  let habits: Habits
  let attack: Attack?
  private var random: Random
  private var actions: [Action] = []
  private var now = 0.0
  private var contacts = 0
  private var lastContact: [String: Double] = [:]
  private var known: [String: [String]] = [:]
  private let number: UInt64

  init(_ kind: AgentKind, _ habits: Habits, attack: Attack?, seed: UInt64) {
    self.kind = kind
    self.habits = habits
    self.attack = attack
    number = seed
    random = Random(seed: seed)
  }

  /// A session of `length` contacts, or of a usual number.
  mutating func make(length: Int? = nil) -> Timeline {
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
    while contacts < length {
      if left <= 0 {
        task = newTask(own, names)
        left = random.count(mean: kind.task)
        now += random.logNormal(median: kind.pause * 2, width: 1)
      }
      left -= 1
      let share = attackShare
      if share > 0, random.chance(share) {
        attackStep()
      } else {
        let place = last.flatMap { random.chance(habits.repeats) ? $0 : nil } ?? random.pick(task)
        last = place
        step(names[place])
      }
      now += random.logNormal(median: kind.pause, width: 1)
    }
    actions.sort { $0.time < $1.time }
    return Timeline(kind: kind, actions: actions, onset: attack?.onset)
  }

  private var attackShare: Double {
    guard let attack, contacts >= attack.onset else { return 0 }
    guard attack.ramp > 0 else { return attack.share }
    return attack.share * min(1, Double(contacts - attack.onset) / Double(attack.ramp))
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

  // MARK: Steps

  private mutating func step(_ category: String) {
    let host: String
    if let before = known[category], !before.isEmpty, random.chance(habits.bursts > 0 ? kind.revisits : 0) {
      host = before[random.zipf(before.count)]
    } else {
      let size = category == "unknown" ? 4_000 : 150
      let site = category == "unknown" ? "site\(random.zipf(size))" : "\(category)\(random.zipf(size))"
      host = "www.\(site).example"
      known[category, default: []].append(host)
    }
    let isPage = ["documentation", "search", "reference", "news", "social", "unknown"].contains(category)
    visit(host, category, out: Int(random.logNormal(median: 1_200, width: 0.8)), into: isPage ? 60_000 : 9_000)
    if habits.bursts > 0, random.chance(kind.fanOut), isPage { fanOut() }
    if category == "code-hosting", random.chance(0.05) { upload(host, category) }
  }

  /// A page's images, fonts and counters: mostly known infrastructure, now and then somebody unknown.
  private mutating func fanOut() {
    for _ in 0..<random.count(mean: 2.5) {
      let kindOf = random.pick([0.72, 0.14, 0.12, 0.02])
      let category = ["cdn", "telemetry", "advertising-and-tracking", "unknown"][kindOf]
      let at = now
      now += random.unit() * 1.5
      visit("static.\(category)\(random.zipf(40)).example", category, out: 700, into: 30_000)
      now = at
    }
  }

  private mutating func upload(_ host: String, _ category: String) {
    act(.tls(bytesOut: Int(random.logNormal(median: 400_000, width: 1.2)), bytesIn: 4_000), host, category, after: 1)
  }

  private mutating func visit(_ host: String, _ category: String, out: Int, into: Double) {
    note(host, category)
    act(.lookup, host, category, after: 0)
    if random.chance(0.04) { act(.lookup, host, category, after: 2) }
    var flows = 1
    if habits.bursts > 0, random.chance(habits.bursts) { flows += random.count(mean: 3) }
    if random.chance(0.03) { flows += 2 }
    for flow in 0..<flows {
      let bytesIn = Int(random.logNormal(median: into, width: 1))
      if random.chance(0.05) {
        act(
          .request(method: "GET", path: "/page/\(random.zipf(900))", query: "", bodyLength: 0, bytesIn: bytesIn), host,
          category, after: 0.1 + Double(flow))
      } else {
        act(.tls(bytesOut: out, bytesIn: bytesIn), host, category, after: 0.1 + Double(flow) * random.unit() * 3)
      }
    }
  }

  private mutating func attackStep() {
    // A few drop sites, and new ones all the time.
    let host = "in.drop\(number % 997)-\(random.zipf(30)).example"
    note(host, "unknown")
    act(.lookup, host, "unknown", after: 0)
    act(.tls(bytesOut: Int(random.logNormal(median: 3_000, width: 1)), bytesIn: 900), host, "unknown", after: 0.1)
  }

  private mutating func note(_ host: String, _ category: String) {
    if let last = lastContact[host], now - last < Self.contactGap {
      lastContact[host] = now
      return
    }
    lastContact[host] = now
    if !Self.followers.contains(category) || kind.baseline.contains(where: { $0.category == category }) {
      contacts += 1
    }
  }

  private mutating func act(_ what: Action.Kind, _ host: String, _ category: String, after delay: Double) {
    var address: UInt32 = 0x2d00_0000
    for byte in host.utf8 { address = address &* 31 &+ UInt32(byte) }
    actions.append(
      Action(
        time: now + delay, kind: what, host: host, address: 0x2d00_0000 | (address & 0x00ff_ffff), category: category))
  }
}
