extension Inspector {
  /// Judges a TCP segment of a flow that is not decided: its bytes join the stream, and what they complete is judged.
  /// Every segment is answered at once; the one that completes a hello or head carries the verdict.
  mutating func judgeSegment<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ tcp: TCPFields, _ packet: RawSpan, _ meta: PacketMeta,
    fromClient: Bool, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    defer { noteEnd(index, tcp, fromClient: fromClient) }
    guard fromClient else {
      if view.payload.byteCount > 0 { judgeServerSegment(index, view, tcp, now, &sink) }
      return Verdict(.accept, flows[index].reason, scope: .packet)
    }
    if view.payload.byteCount > 0, !meta.checksumsUnreliable,
      view.transportChecksumIsValid(packet) == false
    {
      // No receiver takes it, so it says nothing; and it must not be taken for what the receiver will see.
      counters.badChecksum &+= 1
      return Verdict(effective(.drop), .malformed, scope: .packet)
    }
    if flows[index].clientPackets == 1, let early = judgeOpening(index, meta, now, &sink) { return early }
    let stream = flows[index].stream
    if stream >= 0, streams[stream].awaitsAnswer, tcp.flags.contains(.ack),
      Int32(bitPattern: tcp.acknowledgement &- streams[stream].acknowledged) > 0
    {
      noteAnswer(index)
      if flows[index].phase == .decided { return current(index) }
    }
    guard view.payload.byteCount > 0 else { return current(index) }
    let sequence = tcp.flags.contains(.syn) ? tcp.sequence &+ 1 : tcp.sequence
    if flows[index].stream < 0 {
      flows[index].stream = streams.take(sequence: flows[index].isMidstream ? sequence : flows[index].firstSequence)
      if flows[index].serverPort == 53 {
        streams[flows[index].stream].mode = .dns
      } else if flows[index].isMidstream {
        streams[flows[index].stream].mode = .search
      }
    }
    switch streams[flows[index].stream].assembler.add(view.payload, sequence: sequence) {
    case .conflict: return refuseEvasion(index, meta, now, &sink)
    case .notKept:
      if case .settled = streams[flows[index].stream].mode {
        // The hello is judged and more than a window followed it unanswered: nothing left to compare.
        noteAnswer(index)
        return current(index)
      }
      if meta.hook == .replay {
        // Nobody will send it again: go on behind the gap.
        readPastGaps(index, now, &sink)
        _ = streams[flows[index].stream].assembler.add(view.payload, sequence: sequence)
        break
      }
      counters.notKept &+= 1
      return Verdict(effective(.drop), .undecided, scope: .packet)
    case .nothingNew: return current(index)
    case .advanced: break
    }
    return readStream(index, meta, acknowledgement: tcp.acknowledgement, now, &sink)
  }

  /// What a flow's packets get while nothing new is known.
  func current(_ index: Int32) -> Verdict {
    Verdict(effective(flows[index].action), flows[index].reason, scope: flows[index].action == .accept ? .packet : .flow)
  }

  /// A flow's first packet: a denied address needs no name, and a flow whose start was missed has its own policy.
  private mutating func judgeOpening<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    if let match = DenyRule.match(address: flows[index].server, policy: policy) {
      let outcome = ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
      return refuse(index, outcome, meta, now, &sink)
    }
    if flows[index].isMidstream, meta.hook != .replay, policy.parts.exceptions.midstream != .accept {
      let outcome = ContactOutcome(verdict: Verdict(policy.parts.exceptions.midstream, .midstream))
      return refuse(index, outcome, meta, now, &sink)
    }
    return nil
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

  /// Two copies of the same bytes that differ: whoever sent them wants the inspector to see another than the server.
  private mutating func refuseEvasion<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    let outcome = ContactOutcome(verdict: Verdict(.reject, .evasion))
    let isFirst = flows[index].reason != .evasion
    flows[index].reason = .evasion
    if isFirst {
      raise(
        .evasion, "Overlapping TCP segments of one flow carry different bytes.",
        [FlagEvidence("packets", Int(flows[index].clientPackets))], outcome, index, now, &sink)
    }
    return refuse(index, outcome, meta, now, &sink) ?? current(index)
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
    // Answers that fit one segment, which is what resolvers send; a longer one teaches nothing, which is safe.
    var reader = PacketReader(view.payload)
    while let length = try? reader.u16(), length > 0, let body = try? reader.span(Int(length)) {
      guard DNSMessage.parse(body, into: &message) == nil, message.isResponse else { return }
      recordFact(index, fromClient: false, .dns(message, overTCP: true, isOther: false), &sink)
      learn(index, now, &sink)
    }
  }
}
