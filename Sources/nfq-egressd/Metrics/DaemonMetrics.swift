import PacketInspect

/// The daemon's figures as metrics. Labels are bounded by code and configuration: never a session, host or address.
struct DaemonMetrics: Sendable {
  /// What is read at a scrape.
  let sources: Sources

  struct Sources: Sendable {
    var mode: Configuration.Mode
    var queue: UInt16
    var control: QueueControl
    var published: PublishedCounters
    var watch: QueueWatch
    var policy: PolicyKeeper
    var events: HandoverRing<Event>
    var writer: EventWriter
    var store: StoreWriter?
    /// The living sessions by agent type; nil when the packet path did not look in time.
    var types: @Sendable () -> [TypeFigures]?
  }

  /// The text of one scrape.
  func text(at now: Timestamp) -> [UInt8] {
    var text = MetricsText()
    let published = sources.published.latest
    text.begin("nfq_egressd_info", .gauge, "What runs; always 1.")
    text.sample([("mode", sources.mode.rawValue)], 1)
    addPackets(published, to: &text)
    addQueue(to: &text)
    addFlows(published, to: &text)
    addSessions(to: &text)
    addLists(at: now, to: &text)
    addWriters(to: &text)
    return text.bytes
  }

  private func addPackets(_ published: PublishedCounters.Figures, to text: inout MetricsText) {
    text.begin("nfq_egressd_packets_total", .counter, "Packets by verdict and reason.")
    for row in published.verdicts.all {
      text.sample([("verdict", row.action.name), ("reason", row.reason.rawValue)], row.packets)
    }
    text.begin("nfq_egressd_verdict_seconds", .histogram, "Time from receiving a packet to sending its verdict.")
    let latency = sources.control.latency
    var sum: UInt64 = 0
    for (bound, packets) in zip(VerdictLatency.bounds, latency.packets) {
      sum &+= packets
      text.sample([("le", (Double(bound) / 1e9).description)], suffix: "_bucket", sum)
    }
    let all = latency.packets.reduce(0, &+)
    text.sample([("le", "+Inf")], suffix: "_bucket", all)
    text.sample(suffix: "_sum", number: Double(latency.sum) / 1e9)
    text.sample(suffix: "_count", all)
    text.begin("nfq_egressd_flags_total", .counter, "Flags raised, by kind.")
    for kind in FlagKind.allCases {
      let elsewhere = kind == .unobserved ? sources.watch.status.flags : 0
      text.sample([("kind", kind.rawValue)], (published.flags[kind] ?? 0) &+ elsewhere)
    }
  }

  private func addQueue(to text: inout MetricsText) {
    let socket = sources.control.counters
    if let kernel = QueueStatistics.read()?.first(where: { $0.queue == sources.queue }) {
      text.single(
        "nfq_egressd_queue_depth", .gauge, "Packets that wait for a verdict, as the kernel counts.", kernel.waiting)
      text.begin(
        "nfq_egressd_queue_dropped_total", .counter, "Packets that never reached the daemon, as the kernel counts.")
      text.sample([("cause", "queue-full")], kernel.queueDropped)
      text.sample([("cause", "buffer-full")], kernel.userDropped)
    }
    text.single(
      "nfq_egressd_queue_missing_total", .counter, "Packets that the kernel numbered but never delivered.",
      socket.missing)
    let uninspected = sources.watch.status.figures
    text.begin(
      "nfq_egressd_uninspected_packets_total", .counter,
      "Packets sent to the queue that the daemon did not see: passed, lost, or cut short.")
    text.sample([("outcome", "passed")], uninspected.passed)
    text.sample([("outcome", "lost")], uninspected.dropped)
    text.sample([("outcome", "cut")], uninspected.cut)
    text.single("nfq_egressd_queue_overruns_total", .counter, "Times the receive buffer overran.", socket.overruns)
    text.single(
      "nfq_egressd_verdict_errors_total", .counter, "Verdicts that the kernel refused or that could not be sent.",
      socket.verdictErrors &+ socket.sendErrors)
    text.single(
      "nfq_egressd_held_packets", .gauge, "Packets held until somebody can say whose they are, or the store has them.",
      UInt64(socket.held))
  }

  private func addFlows(_ published: PublishedCounters.Figures, to text: inout MetricsText) {
    let counters = published.counters
    text.single("nfq_egressd_flows", .gauge, "Flows in the flow table.", UInt64(published.flows))
    text.single("nfq_egressd_flows_total", .counter, "Flows begun.", counters.flows)
    text.single("nfq_egressd_flows_passed_total", .counter, "Times a flow was left to the kernel.", counters.passed)
    text.single(
      "nfq_egressd_flow_table_full_total", .counter,
      "Packets of new flows that were refused a place in the flow table.",
      counters.flowTableFull)
    text.single(
      "nfq_egressd_flows_evicted_total", .counter, "Flows forgotten to make room for others.", counters.evicted)
    text.single(
      "nfq_egressd_flows_lost_total", .counter, "Flows forgotten before all of them was understood.", counters.lost)
    text.single(
      "nfq_egressd_malformed_packets_total", .counter, "Packets that are no readable IP.", counters.malformed)
    text.single(
      "nfq_egressd_destinations_total", .counter, "Destinations that became one of a session's.",
      counters.newDestinations)
  }

  private func addSessions(to text: inout MetricsText) {
    guard let types = sources.types() else { return }
    text.begin("nfq_egressd_sessions", .gauge, "Sessions that live, by agent type.")
    for type in types { text.sample([("agent_type", type.agentType)], type.sessions) }
    text.begin(
      "nfq_egressd_sessions_by_budget_use", .gauge, "Sessions with a budget, by the part of it that they have used.")
    for type in types where !type.budgetUse.isEmpty {
      for use in BudgetUse.allCases {
        text.sample([("agent_type", type.agentType), ("use", use.rawValue)], type.budgetUse[use] ?? 0)
      }
    }
  }

  private func addLists(at now: Timestamp, to text: inout MetricsText) {
    let lists = sources.policy.listFigures
    guard !lists.isEmpty else { return }
    text.begin("nfq_egressd_list_entries", .gauge, "Entries of a deny-list.")
    for list in lists { text.sample([("list", list.name)], UInt64(list.entries)) }
    text.begin("nfq_egressd_list_age_seconds", .gauge, "Time since a deny-list's file was last written.")
    for list in lists {
      guard let modified = list.modified else { continue }
      text.sample([("list", list.name)], number: Double(max(0, now.since(modified)) / 1_000_000_000))
    }
  }

  private func addWriters(to text: inout MetricsText) {
    let losses = sources.writer.losses
    text.single("nfq_egressd_event_backlog", .gauge, "Events that wait to be written.", UInt64(sources.events.count))
    text.begin("nfq_egressd_events_lost_total", .counter, "Events that were never written, by cause.")
    text.sample([("cause", "backlog")], losses.lost)
    text.sample([("cause", "write-error")], losses.failed)
    if let store = sources.store {
      text.single(
        "nfq_egressd_store_lag_seconds", .gauge, "Time since all state was on disk; 0 when it is.",
        number: Double(max(0, store.lagNanoseconds)) / 1e9)
    }
  }
}
