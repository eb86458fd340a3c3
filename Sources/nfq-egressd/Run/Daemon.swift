import Glibc
import Logging
import PacketInspect

/// The running daemon: one queue thread, one thread each for events, the store, the control socket and the rules,
/// and the main thread, which waits for signals.
struct Daemon {
  /// Seconds between two stats events.
  private static let statsInterval: Int64 = 60

  let file: String
  let log: Logger
  let suffixes: PublicSuffixes
  let digest: LibcryptoDigest
  let quic: LibcryptoQUIC

  /// Why the daemon cannot start or go on.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Runs until told to stop. Throws `ConfigurationFaults` for a bad file, `Failure` for anything else.
  func run() throws {
    var random = SystemRandomNumberGenerator()
    let seed = random.next()
    var compiler = PolicyCompiler(suffixes: suffixes, seed: seed, making: .whenChanged)
    let log = log
    compiler.watch.tell = { log.info("\($0)") }
    compiler.watch.warn = { log.warning("\($0)") }
    var current = try compiler.compile(file: file, epoch: 1)
    warn(current.loaded)
    let configuration = current.loaded.configuration
    guard let layout = MarkLayout(mask: configuration.marks.mask) else {
      throw Failure(description: "marks.mask must be eight contiguous bits")
    }
    let events = try openEvents(configuration)
    var signals = Signals()
    let ring = HandoverRing<Event>(capacity: configuration.limits.eventRing)
    let nameKey = (random.next(), random.next())
    let writer = EventWriter(
      ring: ring, digest: digest, names: NameText(key: nameKey, domains: suffixes), log: log)
    guard let writerThread = writer.start(events) else { throw Failure(description: "no thread for events") }
    defer {
      writer.stop()
      writerThread.join()
    }
    let desk = try ControlDesk(configuration.control, log: log)
    let keeper = configuration.store.path.map {
      StateKeeper(
        path: $0, isStrict: configuration.store.durability == .strict,
        keepEnded: configuration.store.keepEnded?.nanoseconds, log: log, events: ring)
    }
    let learner = keeper.map { makeLearner($0, ring) }
    learner?.learn(&current)
    let mailbox = PolicyMailbox()
    let policy = PolicyKeeper(
      current, keeper?.overlays ?? OverlayBook(), seed: seed, mailbox: mailbox, outbox: keeper?.writer.overlays
    ) { kind, figures in ring.add(Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures))) }
    keeper?.writer.serve(policy)
    let keeperOfRules = RulesKeeper(configuration.rules, log: log) { kind, figures in
      ring.add(Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures)))
    }
    let queueWatch = QueueWatch(configuration, log: log) { ring.add($0) }
    let leases = configuration.sessions.containers.map { _ in ContainerLeases(log: log) }
    let accountant =
      configuration.queues.offload == .decided
      ? FlowAccountant(layout, log: log) { kind, figures in
        ring.add(Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures)))
      } : nil
    let links = HandlerLinks(
      policy: mailbox, control: desk.mailbox, store: keeper?.writer, containers: leases, accountant: accountant,
      waitsForStore: configuration.store.durability == .strict)
    let queue = try startQueue(
      configuration, policy.snapshot, layout, ring, links, keeper?.sessions ?? [], seed: random.next(),
      nameHash: KeyedHash(key: nameKey))
    // From here on whatever goes wrong ends in order: every packet gets its verdict, every change is written.
    var trouble: (any Error)?
    var watcher: ContainerWatcher?
    var metrics: MetricsServer?
    do {
      guard keeper?.begin() ?? true else { throw Failure(description: "no thread for the store") }
      let control = queue.control
      keeper?.writer.onDurable { control.wake() }
      guard queueWatch.begin(for: queue.control) else { throw Failure(description: "no thread to watch the queue") }
      try desk.open(for: queue.control, keeper: policy, store: keeper?.path, suffixes: suffixes) {
        ControlStatus(queueWatch.status, links.published.latest, configuration)
      }
      guard accountant?.begin(for: queue.control) ?? true else {
        throw Failure(description: "no thread for passed flows")
      }
      guard keeperOfRules.begin() else { throw Failure(description: "no thread for the rules") }
      watcher = try watch(configuration, leases, queue.control)
      metrics = configuration.metrics.listen.map { address in
        let sources = DaemonMetrics.Sources(
          mode: configuration.mode, queue: configuration.queues.first, control: queue.control,
          published: links.published, watch: queueWatch, policy: policy, events: ring, writer: writer,
          store: keeper?.writer,
          types: desk.types(by: queue.control))
        return MetricsServer(address, metrics: DaemonMetrics(sources: sources)) { log.error("\($0)") }
      }
      metrics?.begin()
      serve(queue, &signals, &current, compiler, policy, links, ring, writer, keeper, learner)
    } catch {
      trouble = error
    }
    metrics?.stop()
    desk.close()
    watcher?.stop()
    keeperOfRules.stop()
    queueWatch.stop()
    accountant?.stop()
    queue.control.stop()
    do { try queue.thread.join() } catch { trouble = error }
    keeper?.end()
    ring.add(stats("stopped", figures(queue, links, writer, keeper)))
    if let trouble { throw trouble }
    log.info("stopped: every packet received has its verdict")
  }

  /// Waits for signals, until told to stop or until the queue ends by itself.
  private func serve(
    _ queue: RunningQueue, _ signals: inout Signals, _ current: inout CompiledPolicy, _ compiler: PolicyCompiler,
    _ policy: PolicyKeeper, _ links: HandlerLinks, _ ring: HandoverRing<Event>, _ writer: EventWriter,
    _ keeper: StateKeeper?, _ learner: MixLearner?
  ) {
    let configuration = current.loaded.configuration
    let mode = configuration.mode.rawValue
    let manager = ServiceManager()
    let reload = PolicyReload(file, compiler, onEnd: signals.wake)
    defer { reload.stop() }
    var ages = ListAges()
    log.info("inspecting queue \(configuration.queues.first), mode \(mode): \(current.loaded.summary)")
    manager.tell(.ready("inspecting, \(current.loaded.summary)"))
    defer { manager.tell(.stopping) }
    var watchdog = Watchdog(manager)
    ring.add(stats("started", [("mode", .text(mode))]))
    var lastStats = WallClock.now()
    look(at: current.loaded.lists, &ages, ring)
    serving: while true {
      switch signals.wait(seconds: 1) {
      case .stop: break serving
      case .reload:
        manager.tell(.reloading)
        writer.reopen()
        ring.add(stats("reloading", []))
        begin(reload, current)
      case .look, .none: break
      }
      if let (outcome, isWantedAgain) = reload.look() {
        finish(outcome, &current, policy, ring, learner)
        queue.control.wake()
        look(at: current.loaded.lists, &ages, ring)
        manager.tell(.ready("inspecting, \(current.loaded.summary)"))
        if isWantedAgain { begin(reload, current) }
      }
      if queue.hasEnded { break }
      watchdog.look(at: queue.control.progress)
      let now = WallClock.now()
      policy.look(at: now)
      if now.since(lastStats) >= Self.statsInterval * 1_000_000_000 {
        lastStats = now
        look(at: current.loaded.lists, &ages, ring)
        ring.add(stats("counters", figures(queue, links, writer, keeper, staleLists: ages.count)))
      }
    }
  }

  private func openEvents(_ configuration: Configuration) throws -> EventFile {
    do throws(FileError) {
      return try EventFile(path: configuration.events.path)
    } catch {
      throw Failure(description: "\(error.description); mend events.path or make the directory")
    }
  }

  /// A queue thread and whether it has ended by itself.
  private struct RunningQueue {
    let thread: QueueThread
    let end: EndFlag
    var control: QueueControl { thread.control }
    var hasEnded: Bool { end.isSet }
  }

  private func startQueue(
    _ configuration: Configuration, _ policy: PolicySnapshot, _ layout: MarkLayout, _ ring: HandoverRing<Event>,
    _ links: HandlerLinks, _ stored: [StoredSession], seed: UInt64, nameHash: KeyedHash
  ) throws -> RunningQueue {
    var options = QueueOptions(number: configuration.queues.first)
    options.length = configuration.queues.length
    options.heldPackets = configuration.limits.heldPackets
    options.failOpen = configuration.onFailure.queueFull == .open
    let limits = InspectorLimits(
      flows: configuration.limits.flows, namesPerSession: configuration.limits.namesPerSession)
    // Unique across restarts and below 2^53, beyond which JSON readers round: seconds, then a count.
    let firstFlow = UInt64(max(0, WallClock.now().nanoseconds / 1_000_000_000)) << 20
    var inspector = Inspector(
      policy: policy, domains: suffixes, quicCryptography: quic, limits: limits, seed: seed, firstFlowID: firstFlow,
      nameHash: nameHash)
    inspector.takeUp(stored)
    let end = EndFlag()
    let handler = InspectorHandler(
      inspector: inspector, epoch: policy.epoch, evidence: evidence(configuration), events: ring, links: links)
    let thread = try QueueThread(options, layout: layout, handler: handler) { _ in end.set() }
    return RunningQueue(thread: thread, end: end)
  }

  /// What this host knows of senders. Without sock_diag sessions are told apart by addresses alone.
  private func evidence(_ configuration: Configuration) -> HostEvidence? {
    do throws(SocketDiagnosisError) {
      return try HostEvidence(configuration)
    } catch {
      log.warning("control groups tell no sessions: \(error.description)")
      return nil
    }
  }

  /// Follows the container runtime, if one is configured.
  private func watch(
    _ configuration: Configuration, _ leases: ContainerLeases?, _ control: QueueControl
  ) throws -> ContainerWatcher? {
    guard let source = configuration.sessions.containers, let leases else { return nil }
    let log = log
    let watcher = ContainerWatcher(
      source,
      onChange: { change in
        leases.take(change, at: WallClock.now())
        control.wake()
      },
      onNotice: { notice in
        log.info("\(notice)")
        guard case .connected = notice else { return }
        leases.noteListing()
        control.wake()
      })
    guard let watcher else { throw Failure(description: "no thread for the container runtime") }
    return watcher
  }

  /// What the store knows of reviewed sessions, for baselines.
  private func makeLearner(_ keeper: StateKeeper, _ ring: HandoverRing<Event>) -> MixLearner {
    let path = keeper.path
    return MixLearner(
      read: { type throws(SessionStore.Failure) in try SessionStore.benign(type, path: path) }, log: log
    ) { kind, figures in ring.add(Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures))) }
  }

  func warn(_ loaded: LoadedConfiguration) {
    for warning in loaded.warnings { log.warning("\(file):\(warning)") }
    if let obstacle = RulesRecord.obstacle(loaded.configuration.rules) {
      log.warning("rules of control groups that are made anew cannot be made again: \(obstacle)")
    }
  }

  func stats(_ kind: String, _ figures: [(name: String, value: StatValue)]) -> Event {
    Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures))
  }

  private func figures(
    _ queue: RunningQueue, _ links: HandlerLinks, _ writer: EventWriter, _ keeper: StateKeeper?, staleLists: Int = 0
  ) -> [(name: String, value: StatValue)] {
    let inspector = links.published.latest
    let socket = queue.control.counters
    let losses = writer.losses
    let lag = keeper?.writer.lagNanoseconds ?? 0
    let counts: [(String, UInt64)] = [
      ("packets", inspector.counters.packets), ("accepted", inspector.counters.accepted),
      ("dropped", inspector.counters.dropped), ("rejected", inspector.counters.rejected),
      ("malformed", inspector.counters.malformed), ("foreign", inspector.counters.foreign),
      ("flows", UInt64(inspector.flows)), ("passes", inspector.counters.passed),
      ("flows_total", inspector.counters.flows), ("flow_table_full", inspector.counters.flowTableFull),
      ("flows_evicted", inspector.counters.evicted), ("flows_lost", inspector.counters.lost),
      ("sessions", UInt64(inspector.sessions)), ("quic_hellos", inspector.counters.quicHellos),
      ("quic_unopened", inspector.counters.quicUnopened),
      ("quic_unknown_version", inspector.counters.quicUnknownVersion),
      ("queue_overruns", socket.overruns),
      ("queue_missing", socket.missing), ("receive_calls", socket.receiveCalls),
      ("send_calls", socket.sendCalls), ("verdict_errors", socket.verdictErrors + socket.sendErrors),
      ("events_lost", losses.lost), ("events_unwritten", losses.failed),
      ("store_lag_ms", UInt64(max(0, lag / 1_000_000))), ("lists_stale", UInt64(staleLists)),
    ]
    return counts.map { (name: $0.0, value: .count($0.1)) }
  }
}
