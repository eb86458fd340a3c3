import PacketInspect

extension ControlStatus {
  /// What is known now.
  init(_ watch: QueueWatch.Status, _ inspector: PublishedCounters.Figures, _ configuration: Configuration) {
    let figures = watch.figures
    queue = Queue(
      number: configuration.queues.first, length: configuration.queues.length, waiting: watch.waiting,
      waitingMost: watch.waitingMost, received: figures.received, missing: figures.missing, overruns: figures.overruns,
      droppedFull: figures.droppedFull, droppedSocket: figures.droppedSocket)
    uninspected = Uninspected(passed: figures.passed, lost: figures.dropped, cut: figures.cut)
    rules = watch.rules.map { Rules(queued: $0.queued, backstop: $0.backstop) }
    flows = Flows(
      tracked: inspector.flows, limit: configuration.limits.flows, evicted: inspector.counters.evicted,
      lost: inspector.counters.lost, refused: inspector.counters.flowTableFull)
  }
}
