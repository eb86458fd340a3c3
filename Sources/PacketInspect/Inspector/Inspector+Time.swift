extension Inspector {
  /// Slots of the flow table looked at in one sweep for flows whose time is over, and flows ended by one: what a
  /// burst has left must not hold up the packets that wait meanwhile.
  private static var sweepSlots: Int { 4_096 }
  /// Time between sweeps in nanoseconds: replay ticks before each packet, and must not look at the table for each.
  private static var sweepInterval: Int64 { 100_000_000 }
  /// Packets without payload that a connection older than the daemon may send before it counts: what closes it, resets
  /// of what the server still says, a few probes whether it lives.
  private static var remnantPackets: UInt32 { 8 }

  /// Does what is due by `now` without a packet: flows that never said a name are charged to their address, flows
  /// long idle are forgotten. Call it at least every 100 ms, and in replay before each packet.
  public mutating func tick<Sink: EventSink>(now: Timestamp, into sink: inout Sink) {
    while let due = deadlines.popDue(at: now) {
      guard flows.isUsed(due.flow), flows[due.flow].id == due.id, !flows[due.flow].isCharged, !isRemnant(due.flow)
      else { continue }
      chargeSilent(due.flow, now, &sink)
    }
    if let lastSweep, now >= lastSweep, now.since(lastSweep) < Self.sweepInterval { return }
    lastSweep = now
    if owesRevocationSoon {
      owesRevocationSoon = false
      owesRevocation = true
    }
    tickSessions(now, &sink)
    var left = Self.sweepSlots
    while case let index = flows.sweepExpired(slots: &left, at: now), index >= 0 {
      endUnlessUnfinished(index, now, &sink)
    }
  }

  /// Ends a flow whose time is over. One that was reset amid a message waits as long as an open one: the reset may
  /// never have arrived, and what is left of the message would come as a flow whose start was not seen.
  private mutating func endUnlessUnfinished<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let stream = flows[index].stream
    let isUnfinished = stream >= 0 && streams[stream].isUnfinished
    if flows[index].isClosing, isUnfinished {
      flows[index].isClosing = false
    } else {
      if isUnfinished { noteLoss(index) }
      end(index, now, &sink)
    }
  }

  /// Ends all flows: the capture is over, or the daemon stops. What waited behind a gap is read first.
  public mutating func finish<Sink: EventSink>(now: Timestamp, into sink: inout Sink) {
    for index in flows.indicesByUse() {
      readPastGaps(index, now, &sink)
      end(index, now, &sink)
    }
    handOverState(&sink)
  }

  /// Forgets a flow, after charging it if it never said a name, and tells its size.
  mutating func end<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let mayOweName = flows[index].key.proto == IPProtocol.tcp.rawValue || flows[index].quic >= 0
    if mayOweName, !flows[index].isCharged, !isRemnant(index) { chargeSilent(index, now, &sink) }
    endTraffic(index, now, &sink)
    if flows.isWithKernel(index) {
      flows[index].accounting = .lowerBound
      // What goes on past us would be nobody's.
      if !flows.hasVanished(index) { owesRevocation = true }
    }
    let flow = flows[index]
    var event = event(.flow(summary(flow)), on: index, at: flow.lastSeen)
    event.verdict = EventVerdict(action: effective(flow.action), reason: flow.reason)
    sink.record(event)
    releaseStream(index)
    sessions.endFlow(flow.session)
    releaseQUIC(index)
    if flow.name >= 0 { names.release(flow.name) }
    flows.remove(index)
  }

  /// True for what is left of a connection that the daemon did not see begin: its contact is over, and counting its
  /// end would charge each restart with an address for every connection that was open.
  private func isRemnant(_ index: Int32) -> Bool {
    let flow = flows[index]
    return flow.isMidstream && flow.traffic.sent == 0 && flow.clientPackets < Self.remnantPackets
  }

  /// Charges a flow that has said no name in its time, or to its end: TCP, or QUIC whose hello is incomplete.
  mutating func chargeSilent<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let outcome = charge(index, name: nil, claim: nil, now)
    flows[index].isCharged = true
    flows[index].epoch = policy.epoch
    if outcome.verdict.action == .accept {
      raiseFlags(outcome, index, now, &sink)
    } else {
      _ = refuse(index, outcome, PacketMeta(originalLength: 0), now, &sink)
    }
  }

  private func summary(_ flow: FlowState) -> FlowSummary {
    FlowSummary(
      start: flow.started, end: flow.lastSeen, packetsToServer: UInt64(flow.clientPackets),
      bytesToServer: flow.clientBytes, packetsToClient: UInt64(flow.serverPackets), bytesToClient: flow.serverBytes,
      accounting: flow.accounting, shape: FlowShape(flow))
  }
}
