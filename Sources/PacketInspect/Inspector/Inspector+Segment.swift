extension Inspector {
  /// Judges a TCP segment of a flow that is not decided: its bytes join the stream, and what they complete is judged.
  /// Every segment is answered at once; the one that completes a hello or head carries the verdict.
  mutating func judgeSegment<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ tcp: TCPFields, _ packet: RawSpan, _ meta: PacketMeta,
    fromClient: Bool, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    guard fromClient else {
      if view.payload.byteCount > 0 { judgeServerSegment(index, view, tcp, now, &sink) }
      noteEnd(index, tcp, fromClient: false)
      return Verdict(.accept, flows[index].reason, scope: .packet)
    }
    if flows[index].clientPackets == 1, let early = judgeOpening(index, meta, now, &sink) { return early }
    if !meta.checksumsUnreliable, view.transportChecksumIsValid(packet) == false {
      // No receiver takes it, so it says nothing; and it must not be taken for what the receiver will see.
      counters.badChecksum &+= 1
      return Verdict(effective(.drop), .malformed, scope: .packet)
    }
    defer { noteEnd(index, tcp, fromClient: true) }
    if tcp.flags.contains(.ack) {
      noteAcknowledgement(index, tcp.acknowledgement)
      if flows[index].phase == .decided { return current(index) }
    }
    // Receivers ignore what comes beside a reset, or without an acknowledgement after the SYN (RFC 9293 section
    // 3.10.7.4): it says nothing either.
    let isHeard = !tcp.flags.contains(.rst) && !tcp.flags.isDisjoint(with: [.ack, .syn])
    guard view.payload.byteCount > 0, isHeard else { return current(index) }
    let sequence = tcp.flags.contains(.syn) ? tcp.sequence &+ 1 : tcp.sequence
    if flows[index].stream < 0 {
      flows[index].stream = streams.take(sequence: flows[index].isMidstream ? sequence : flows[index].firstSequence)
      if flows[index].serverPort == 53 {
        streams[flows[index].stream].mode = .dns
      } else if flows[index].isMidstream {
        streams[flows[index].stream].mode = .search
      }
    }
    let stream = flows[index].stream
    switch streams[stream].assembler.add(view.payload, sequence: sequence) {
    case .conflict: return refuseConflict(index, meta, now, &sink)
    case .notKept:
      if meta.hook == .replay {
        if case .settled = streams[stream].mode {
          noteAnswer(index)
          return current(index)
        }
        // Nobody will send it again: go on behind the gap.
        readPastGaps(index, now, &sink)
        guard flows[index].stream >= 0 else { return current(index) }
        _ = streams[flows[index].stream].assembler.add(view.payload, sequence: sequence)
        break
      }
      // TCP sends it again: by then the gap is filled, or the server has answered what is being compared.
      counters.notKept &+= 1
      return Verdict(effective(.drop), .undecided, scope: .packet)
    case .nothingNew:
      return countBytes(index, meta, now, &sink)
    case .advanced: break
    }
    let acknowledgement = tcp.flags.contains(.ack) ? tcp.acknowledgement : nil
    _ = readStream(index, meta, acknowledgement: acknowledgement, now, &sink)
    return countBytes(index, meta, now, &sink)
  }

  /// Counts what a flow's stream holds now. When all together hold too much, those that grow and are no ordinary hello
  /// are treated like a message without an end; far beyond that, every one that grows.
  private mutating func countBytes<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    let stream = flows[index].stream
    guard stream >= 0 else { return current(index) }
    streams.recount(stream)
    if streams.heldBytes > limits.streamBytes,
      streams[stream].assembler.heldBytes > Self.ordinaryHello || streams.heldBytes / 2 > limits.streamBytes
    {
      refuseIncomplete(index, meta, now, &sink)
    }
    return current(index)
  }

  /// Bytes that nearly every hello or head fits in, those with post-quantum key shares too.
  private static var ordinaryHello: Int { 2_048 }

  /// The server has answered the message in hand when the agent acknowledges more than it did with it.
  private mutating func noteAcknowledgement(_ index: Int32, _ number: UInt32) {
    let stream = flows[index].stream
    guard stream >= 0, streams[stream].awaitsAnswer else { return }
    guard let before = streams[stream].acknowledged else {
      streams[stream].acknowledged = number
      return
    }
    if Int32(bitPattern: number &- before) > 0 { noteAnswer(index) }
  }

  /// What a flow's packets get while nothing new is known.
  func current(_ index: Int32) -> Verdict {
    Verdict(
      effective(flows[index].action), flows[index].reason, scope: flows[index].action == .accept ? .packet : nil)
  }

  /// A flow's first packet: a denied address needs no name, and a flow whose start was missed has its own policy.
  private mutating func judgeOpening<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    if let match = denyMatch(index, name: nil, claim: nil, now) {
      let outcome = ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
      return refuse(index, outcome, meta, now, &sink)
    }
    guard flows[index].isMidstream, meta.hook != .replay else { return nil }
    var action = policy.parts.exceptions.midstream
    if action == .accept, sessions.hasLosses(flows[index].session) { action = .reject }
    guard action != .accept else { return nil }
    return refuse(index, ContactOutcome(verdict: Verdict(action, .midstream)), meta, now, &sink)
  }

  /// Decides a flow against the agent and says so. In observe mode the stream is still read, for what it would show.
  mutating func refuse<Sink: EventSink>(
    _ index: Int32, _ outcome: ContactOutcome, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    raiseFlags(outcome, index, now, &sink)
    reportDrop(index, outcome, length: meta.originalLength, now, &sink)
    guard policy.parts.mode == .enforce else { return nil }
    flows[index].isCharged = true
    settle(index, outcome.verdict)
    releaseStream(index)
    return Verdict(outcome.verdict.action, outcome.verdict.reason)
  }

  /// The server has answered the message in hand: a second copy of it can do nothing any more.
  private mutating func noteAnswer(_ index: Int32) {
    let stream = flows[index].stream
    guard stream >= 0 else { return }
    streams[stream].awaitsAnswer = false
    if case .settled = streams[stream].mode {
      releaseStream(index)
      flows[index].phase = .decided
    } else {
      streams[stream].assembler.discardParsed()
      streams.recount(stream)
    }
  }

  /// Gives a flow's stream state back.
  mutating func releaseStream(_ index: Int32) {
    guard flows[index].stream >= 0 else { return }
    streams.release(flows[index].stream)
    flows[index].stream = -1
  }

  /// The server's side is seen in captures and for DNS over TCP: answers there are read for facts and names.
  private mutating func judgeServerSegment<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ tcp: TCPFields, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard flows[index].serverPort == 53 else { return }
    // Answers that fit one segment, which is what resolvers send; a longer one teaches nothing, which is safe, and so
    // does one behind more answers than anybody has under way.
    var reader = PacketReader(view.payload)
    var left = Self.maximumMessages
    while left > 0, let length = try? reader.u16(), length > 0, let body = try? reader.span(Int(length)) {
      left -= 1
      guard DNSMessage.parse(body, into: &message) == nil, message.isResponse else { return }
      recordFact(index, fromClient: false, .dns(message, overTCP: true, isOther: false), &sink)
      learn(index, now, &sink)
    }
  }
}
