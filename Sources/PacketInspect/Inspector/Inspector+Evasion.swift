/// What is refused because the server may read, or an agent could hide, other bytes than are inspected.
extension Inspector {
  /// Requests of HTTP/1 and messages of DNS over TCP that are judged in one packet. Each costs microseconds, and a packet
  /// of 64 KB has room for thousands: it would hold up everybody's packets behind it. Clients that send on without waiting
  /// for answers have some ten under way.
  static var maximumMessages: Int { 64 }
  /// The same for header blocks of HTTP/2, whose clients may open a hundred streams at once (RFC 9113 section 6.5.2).
  static var maximumHeaderBlocks: Int { 128 }

  /// Counts one more whole message in the packet in hand. False when it is one too many: nobody looks at what lies behind
  /// it, so the flow is refused.
  mutating func countMessage<Sink: EventSink>(
    _ index: Int32, limit: Int, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    messages += 1
    guard messages > limit else { return true }
    let summary = "One packet holds more than \(limit) requests or questions: those behind would not be judged."
    if refuseEvasion(index, summary, evidence: FlagEvidence("messages", messages), meta, now, &sink) == nil {
      releaseStream(index)
      settle(index, Verdict(.accept, .evasion))
    }
    return false
  }

  /// Refuses a flow as evasive and flags it, once. Nil in observe mode.
  mutating func refuseEvasion<Sink: EventSink>(
    _ index: Int32, _ summary: String, evidence: FlagEvidence? = nil, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict? {
    let outcome = ContactOutcome(verdict: Verdict(.reject, .evasion))
    let isFirst = flows[index].reason != .evasion
    flows[index].reason = .evasion
    if isFirst {
      let evidence = evidence ?? FlagEvidence("packets", Int(flows[index].clientPackets))
      raise(.evasion, summary, [evidence], outcome, index, now, &sink)
    }
    return refuse(index, outcome, meta, now, &sink)
  }

  /// Two copies of the same bytes that differ, or a SYN amid a connection: whoever sent them wants the inspector to see
  /// other bytes than the server.
  mutating func refuseConflict<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    let summary = "TCP segments of one flow contradict each other: the server may read other bytes than were seen."
    return refuseEvasion(index, summary, meta, now, &sink) ?? current(index)
  }

  /// Reads a body about whose end servers disagree. Where a request begins at one of the ends and another lies behind it,
  /// the flow is refused: one of the servers would take for a request what is the body for the other.
  mutating func readContested<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    guard case .contested(var body) = streams[stream].mode else { return false }
    let step = streams[stream].withRest { body.next($0) }
    streams[stream].mode = .contested(body)
    switch step {
    case .needMore:
      _ = isWithinLimit(index, meta, now, &sink)
      return false
    case .pass(let count):
      streams[stream].assembler.markParsed(upTo: streams[stream].assembler.parsed + count)
      streams[stream].assembler.dropParsed()
    case .end: streams[stream].mode = .detect
    case .lost: streams[stream].mode = .search
    case .contradicted:
      let summary = "A request begins where the body before it ends for one server and goes on for another."
      if refuseEvasion(index, summary, meta, now, &sink) != nil { return false }
      streams[stream].mode = .detect
    }
    return true
  }
}
