import PacketInspect

/// One session run through the whole inspector, at default settings but for what is said.
struct Trial {
  let book: NameBook
  /// By agent type.
  private let policies: [String: PolicySnapshot]

  struct Raised {
    var kind: FlagKind
    var time: Double
    var summary: String
  }

  struct Result {
    var flags: [Raised]
    /// Times of the contacts that the mix test counts.
    var contacts: [Double]
    /// The same by category.
    var counts: [PacketInspect.Category: Int]
    /// Times of those whose category is unknown.
    var unknown: [Double]
    var packets: Int
  }

  init?(_ book: NameBook, settings: Settings, actions: [String: CategoryAction] = [:]) {
    self.book = book
    var policies: [String: PolicySnapshot] = [:]
    for kind in AgentKind.all {
      var parts = PolicySnapshot.Parts()
      parts.categories = book.table
      parts.trustedResolvers = [IPAddress(v4: Script.resolver.address)]
      parts.publicResolvers = [IPAddress(v4: 0x0808_0808), IPAddress(v4: 0x0101_0101), IPAddress(v4: 0x0909_0909)]
      var shares: [PacketInspect.Category: Double] = [:]
      for (name, share) in kind.expected {
        guard let category = book.table.names.category(named: name) else { return nil }
        shares[category] = share
      }
      guard
        let baseline = MixBaseline(shares, concentration: settings.concentration ?? MixBaseline.defaultConcentration)
      else { return nil }
      var type = AgentType(name: kind.name, budget: nil)
      var mix = MixPolicy(baseline)
      if let rate = settings.falsePositiveRate { mix.falsePositiveRate = rate }
      if let distance = settings.minimumDistance { mix.minimumDistance = distance }
      if let gap = settings.contactGap { mix.contactGap = Int64(gap * 1e9) }
      type.mix = mix
      if let span = settings.beaconSpan { type.shape.beaconSpan = Int64(span * 60e9) }
      for (name, action) in actions {
        guard let category = book.table.names.category(named: name) else { return nil }
        type.categoryActions[category] = action
      }
      parts.agentTypes[kind.name] = type
      guard let source = IPNetwork("10.88.0.7/32") else { return nil }
      parts.sessionSources.insert(source, ConfiguredSession(id: "task-1", agentType: kind.name))
      policies[kind.name] = PolicySnapshot(parts, epoch: 1)
    }
    self.policies = policies
  }

  /// Runs a script, which must be sorted.
  func run(_ script: Script, _ kind: AgentKind) -> Result {
    guard let policy = policies[kind.name] else {
      return Result(flags: [], contacts: [], counts: [:], unknown: [], packets: 0)
    }
    var inspector = Inspector(
      policy: policy, domains: book.suffixes, limits: InspectorLimits(flows: 8_192, streamBytes: 8 << 20))
    var sink = FlagSink()
    var writer = PacketWriter()
    let start = Timestamp(seconds: 1_700_000_000)
    var now = start
    var ticked = -1.0
    func meta(_ more: Int = 0) -> PacketMeta {
      PacketMeta(hook: .forward, originalLength: writer.bytes.count + more, checksumsUnreliable: true)
    }
    for (time, _, step) in script.steps {
      now = start.advanced(byNanoseconds: Int64(time * 1e9))
      sink.time = time
      if time - ticked > 1 {
        inspector.tick(now: now, into: &sink)
        ticked = time
      }
      switch step {
      case .question(let name, let type, let answer, let ttl, let port):
        let client = Endpoint(address: Script.agent, port: port)
        writer.udp(from: client, to: Script.resolver, payload: Message.dns(name, type: type, id: port))
        _ = inspector.inspect(writer.bytes.rawSpan, meta: meta(), now: now, into: &sink)
        guard let answer else { continue }
        writer.udp(
          from: Script.resolver, to: client,
          payload: Message.dns(name, type: type, id: port, answer: answer, ttl: ttl))
        now = now.advanced(byNanoseconds: 10_000_000)
        _ = inspector.inspect(writer.bytes.rawSpan, meta: meta(), now: now, into: &sink)
      case .segment(let client, let server, let flags, let sequence, let acknowledgement, let payload, let more):
        writer.tcp(
          from: Endpoint(address: Script.agent, port: client), to: server, flags: flags, sequence: sequence,
          acknowledgement: acknowledgement, payload: payload, more: more)
        _ = inspector.inspect(writer.bytes.rawSpan, meta: meta(more), now: now, into: &sink)
      case .datagram(let client, let server, let payload):
        writer.udp(from: Endpoint(address: Script.agent, port: client), to: server, payload: payload)
        _ = inspector.inspect(writer.bytes.rawSpan, meta: meta(), now: now, into: &sink)
      case .echo(let address, let length):
        writer.echo(from: Script.agent, to: address, length: length)
        _ = inspector.inspect(writer.bytes.rawSpan, meta: meta(), now: now, into: &sink)
      }
    }
    now = now.advanced(byNanoseconds: 400_000_000_000)
    sink.time += 400
    inspector.tick(now: now, into: &sink)
    inspector.finish(now: now, into: &sink)
    let (contacts, counts, unknown) = contacts(script, kind)
    return Result(
      flags: sink.flags, contacts: contacts, counts: counts, unknown: unknown, packets: Int(inspector.counters.packets))
  }

  /// As the inspector counts them: a destination that was not contacted within the gap.
  private func contacts(_ script: Script, _ kind: AgentKind) -> ([Double], [PacketInspect.Category: Int], [Double]) {
    var last: [String: Double] = [:]
    var domains: [String: (domain: String, category: PacketInspect.Category)] = [:]
    var times: [Double] = []
    var unknown: [Double] = []
    var counts: [PacketInspect.Category: Int] = [:]
    guard let mix = policies[kind.name]?.parts.agentTypes[kind.name]?.mix else { return ([], [:], []) }
    let gap = Double(mix.contactGap) / 1e9
    for (time, host) in script.touches {
      if domains[host] == nil {
        domains[host] = (book.domain(host), book.category(host))
      }
      guard let (domain, category) = domains[host] else { continue }
      defer { last[domain] = time }
      guard mix.baseline.counts(category), last[domain].map({ time - $0 >= gap }) ?? true else { continue }
      times.append(time)
      if category == .unknown { unknown.append(time) }
      counts[category, default: 0] += 1
    }
    return (times, counts, unknown)
  }
}

/// Keeps flags, and when they came.
struct FlagSink: EventSink {
  var time = 0.0
  var flags: [Trial.Raised] = []

  mutating func record(_ event: consuming Event) {
    guard case .alert(let flag) = event.body else { return }
    let place = event.destination.map { " [\($0.key)]" } ?? ""
    flags.append(Trial.Raised(kind: flag.kind, time: time, summary: flag.summary + place))
  }
}
