extension Inspector {
  /// Slots of the flow table looked at in one tick for flows whose time is over.
  private static var sweepSlots: Int { 4_096 }

  /// Does what is due by `now` without a packet: flows that never said a name are charged to their address, flows
  /// long idle are forgotten. Call it at least every 100 ms, and in replay before each packet.
  public mutating func tick<Sink: EventSink>(now: Timestamp, into sink: inout Sink) {
    while let due = deadlines.popDue(at: now) {
      guard flows.isUsed(due.flow), flows[due.flow].id == due.id, !flows[due.flow].isCharged else { continue }
      chargeSilent(due.flow, now, &sink)
    }
    while case let index = flows.expired(at: now), index >= 0 { end(index, now, &sink) }
    while case let index = flows.sweepExpired(slots: Self.sweepSlots, at: now), index >= 0 { end(index, now, &sink) }
  }

  /// Ends all flows: the capture is over, or the daemon stops. What waited behind a gap is read first.
  public mutating func finish<Sink: EventSink>(now: Timestamp, into sink: inout Sink) {
    while case let index = flows.anyOldest, index >= 0 {
      readPastGaps(index, now, &sink)
      end(index, now, &sink)
    }
  }

  /// Forgets a flow, after charging it if it never said a name, and tells its size.
  mutating func end<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let mayOweName = flows[index].key.proto == IPProtocol.tcp.rawValue || flows[index].quic >= 0
    if mayOweName, !flows[index].isCharged { chargeSilent(index, now, &sink) }
    let flow = flows[index]
    var event = event(.flow(summary(flow)), on: index, at: flow.lastSeen)
    event.verdict = EventVerdict(action: effective(flow.action), reason: flow.reason)
    sink.record(event)
    releaseStream(index)
    releaseQUIC(index)
    if flow.name >= 0 { names.release(flow.name) }
    flows.remove(index)
  }

  /// Charges a flow that has said no name in its time, or to its end: TCP, or QUIC whose hello is incomplete.
  private mutating func chargeSilent<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let outcome = charge(index, name: nil, claim: nil, now)
    raiseFlags(outcome, index, now, &sink)
    if outcome.verdict.action != .accept {
      settle(index, outcome.verdict)
      reportDrop(index, outcome, length: 0, now, &sink)
    }
  }

  private func summary(_ flow: FlowState) -> FlowSummary {
    FlowSummary(
      start: flow.started, end: flow.lastSeen, packetsToServer: UInt64(flow.clientPackets),
      bytesToServer: flow.clientBytes, packetsToClient: UInt64(flow.serverPackets), bytesToClient: flow.serverBytes)
  }
}
