extension Inspector {
  /// True for a datagram that may begin a QUIC connection, whatever was decided for its flow.
  func mayBeginQUIC(_ view: borrowing PacketView) -> Bool {
    guard view.proto == .udp, quicCryptography != nil, view.fragment == nil || view.fragment?.offset == 0 else {
      return false
    }
    return QUICDatagram.mayBeginConnection(view.payload)
  }

  /// Judges a client's datagram as QUIC (RFC 9000). Nil when it says nothing about QUIC: the caller goes on.
  ///
  /// Every connection of a socket is judged by its own hello; each datagram is accepted on arrival, and the one that
  /// completes a hello carries the verdict. What follows in the flow has the flow's verdict.
  mutating func judgeQUIC<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    guard let cryptography = quicCryptography else { return nil }
    let datagram = view.payload
    if QUICDatagram.mayBeginConnection(datagram) {
      var offset = 0
      var initials = 0
      var openings = QUICFlow.maximumOpenings
      while let header = try? QUICLongHeader(datagram, at: offset) {
        offset = header.end
        guard header.type == .initial else { continue }
        initials += 1
        if initials > QUICDatagram.maximumInitials { return Verdict(effective(.drop), .malformed, scope: .packet) }
        if let verdict = judgeInitial(index, header, datagram, cryptography, &openings, meta, now, &sink) {
          return verdict
        }
      }
    } else if flows[index].phase == .undecided, !flows[index].isCharged, flows[index].quic < 0,
      let version = QUICDatagram.unreadableVersion(of: datagram)
    {
      counters.quicUnknownVersion &+= 1
      return judgeUnreadable(index, version, view, meta, now, &sink)
    }
    if flows[index].phase == .decided { return Verdict(effective(flows[index].action), flows[index].reason) }
    guard flows[index].quic >= 0, quic[flows[index].quic].isAssembling else { return nil }
    // The hello is on its way: early data beside it waits for its name, but not without end.
    let waiting = quic.update(flows[index].quic) {
      $0.waiting += 1
      return $0.waiting
    }
    return waiting > QUICFlow.maximumWaiting ? nil : current(index)
  }

  /// A version that cannot be read: the flow counts as its address, and the event says which version it was.
  private mutating func judgeUnreadable<Sink: EventSink>(
    _ index: Int32, _ version: UInt32, _ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict {
    flows[index].traffic.proto = .quic
    let verdict = judgeNameless(index, view, meta, fromClient: true, now, &sink)
    var event = event(.quic(version: version, hello: nil), on: index, at: now)
    event.verdict = EventVerdict(action: verdict.action, reason: verdict.reason)
    sink.record(event)
    return verdict
  }

  /// Reads one Initial packet. Nil when it settles nothing by itself.
  private mutating func judgeInitial<Sink: EventSink>(
    _ index: Int32, _ header: QUICLongHeader, _ datagram: RawSpan, _ cryptography: any QUICCryptography,
    _ openings: inout Int, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    if flows[index].quic < 0 {
      flows[index].quic = quic.take()
      if !flows[index].isCharged { deadlines.push(flow: index, id: flows[index].id, at: now) }
      let (session, server) = (flows[index].session, flows[index].server)
      if let match = denyMatch(session, address: server) {
        let outcome = ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
        if let verdict = refuse(index, outcome, meta, now, &sink) { return verdict }
      }
    }
    let place = flows[index].quic
    let isReplay = meta.hook == .replay
    let opening = quic.update(place) {
      $0.open(header, datagram, cryptography, isReplay: isReplay, &openings, now, &scratch)
    }
    switch opening {
    case .unopened:
      counters.quicUnopened &+= 1
      return nil
    case .noRoom:
      // The client sends it again; by then a place may be free.
      counters.quicNoRoom &+= 1
      return Verdict(effective(.drop), .undecided, scope: .packet)
    case .opened(let connection, let outcome):
      switch quic[place].connections[connection].phase {
      case .refused(let verdict): return Verdict(effective(verdict.action), verdict.reason, scope: .packet)
      case .forgotten: return refuseIncomplete(index, connection, meta, now, &sink)
      case .unopened, .assembling, .judged: break
      }
      switch outcome {
      case .conflict:
        let summary = "Overlapping CRYPTO frames of one QUIC connection carry different bytes."
        return refuseEvasion(index, summary, meta, now, &sink)
      case .tooMany: return refuseIncomplete(index, connection, meta, now, &sink)
      case .nothingNew where sessions.hasLosses(flows[index].session) && quic[place].connections[connection].lacksStart:
        // The start may have been said before the flow was forgotten. Whoever has not says it again, and this after it.
        return Verdict(effective(.drop), .undecided, scope: .packet)
      case .nothingNew: return nil
      case .advanced: return readCrypto(index, connection, header, meta, now, &sink)
      }
    }
  }

  /// Reads the hellos that the handshake bytes now hold: a second one follows a HelloRetryRequest.
  private mutating func readCrypto<Sink: EventSink>(
    _ index: Int32, _ connection: Int, _ header: QUICLongHeader, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict? {
    let place = flows[index].quic
    while true {
      let result = quic[place].connections[connection].stream.withUnparsed { bytes in
        bytes.byteCount == 0 ? .needMore : TLSHello.parseMessage(bytes, into: &hello)
      }
      switch result {
      case .needMore: return nil
      case .malformed(.tooMany): return refuseIncomplete(index, connection, meta, now, &sink)
      case .malformed, .notThisProtocol:
        // No server goes on from here.
        quic.update(place) { $0.connections[connection].phase = .judged }
        return nil
      case .complete(let length):
        quic.update(place) { $0.connections[connection].stream.markParsed(length) }
        if let verdict = judgeHello(index, connection, header, meta, now, &sink) { return verdict }
      }
    }
  }

  /// Judges `hello`, as one over TCP is judged.
  private mutating func judgeHello<Sink: EventSink>(
    _ index: Int32, _ connection: Int, _ header: QUICLongHeader, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict? {
    let place = flows[index].quic
    counters.quicHellos &+= 1
    let wasAllowed = flows[index].phase == .decided && flows[index].action == .accept
    let name = hello.serverName
    let bytes = name?.bytes ?? []
    let isRepeat = isRepeat(place, connection, header, name: bytes)
    quic.update(place) {
      $0.connections[connection].phase = .judged
      $0.connections[connection].name = bytes
    }
    recordFact(index, fromClient: true, .quic(hello, version: header.version.wireValue), &sink)
    let outcome = self.name(index, name, hello.hasEncryptedClientHello ? .publicName : .quicSNI, now)
    if !isRepeat {
      var event = event(.quic(version: header.version.wireValue, hello: hello), on: index, at: now)
      describe(outcome, in: &event)
      sink.record(event)
    }
    let isHeld = outcome.verdict.reason == .budgetHeld || outcome.verdict.reason == .categoryHeld
    if isHeld, wasAllowed, policy.parts.mode == .enforce {
      // The socket's other connections go to destinations that the session already has.
      let refusal = Verdict(outcome.verdict.action, outcome.verdict.reason, scope: .packet)
      quic.update(place) { $0.connections[connection].phase = .refused(refusal) }
      raiseFlags(outcome, index, now, &sink)
      reportDrop(index, outcome, length: meta.originalLength, now, &sink)
      return refusal
    }
    if outcome.verdict.action != .accept {
      if let verdict = refuse(index, outcome, meta, now, &sink) { return verdict }
    } else {
      raiseFlags(outcome, index, now, &sink)
    }
    noteProtocol(index, .quic, FlowShape.Naming(name), outcome, isTunnel: false, now, &sink)
    settle(index, outcome.verdict)
    return nil
  }

  /// A connection of the flow that a new policy denies; the flow's own name is only the latest.
  mutating func deniedConnection(_ index: Int32) -> ContactOutcome? {
    guard flows[index].quic >= 0 else { return nil }
    for connection in quic[flows[index].quic].connections {
      guard let name = HostName(connection.name.rawSpan) else { continue }
      if let outcome = denial(of: name, session: flows[index].session) { return outcome }
    }
    return nil
  }

  /// True when the hello says again what this socket has said: the second one after HelloRetryRequest, or that of a
  /// client which begins anew because of a Retry (it has a token then) or of version negotiation. One event is enough.
  private func isRepeat(_ place: Int32, _ connection: Int, _ header: QUICLongHeader, name: [UInt8]) -> Bool {
    let connections = quic[place].connections
    for number in connections.indices where connections[number].isJudged && connections[number].name == name {
      if number == connection || header.hasToken || connections[number].version != header.version { return true }
    }
    return false
  }

  /// A hello that does not end in bounds, or whose bytes had to be given up: the exception policy decides.
  private mutating func refuseIncomplete<Sink: EventSink>(
    _ index: Int32, _ connection: Int, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    let outcome = ContactOutcome(verdict: Verdict(policy.parts.exceptions.helloIncomplete, .helloIncomplete))
    quic.update(flows[index].quic) {
      $0.connections[connection].phase = .judged
      $0.connections[connection].stream.removeAll()
    }
    if outcome.verdict.action != .accept { return refuse(index, outcome, meta, now, &sink) }
    return nil
  }

  /// Gives a flow's QUIC state back.
  mutating func releaseQUIC(_ index: Int32) {
    guard flows[index].quic >= 0 else { return }
    quic.release(flows[index].quic)
    flows[index].quic = -1
  }

  /// True when the datagram opens under the keys that its own Destination Connection ID gives a client: nobody but a
  /// client sends that. Tells the sides of a captured flow apart whose ports do not.
  func isClientInitial(_ view: borrowing PacketView) -> Bool {
    let datagram = view.payload
    guard view.proto == .udp, let cryptography = quicCryptography, let header = try? QUICLongHeader(datagram, at: 0),
      header.type == .initial,
      let keys = cryptography.clientInitialKeys(
        version: header.version, destinationConnectionID: header.destination.bytes)
    else { return false }
    var plain: [UInt8] = []
    return QUICInitial.open(header, in: datagram, keys: keys, largest: nil, by: cryptography, into: &plain) != nil
  }
}
