extension Inspector {
  /// Bytes of a stream of unknown protocol that are searched for a late hello or request.
  private static var searchLimit: Int { 65_536 }
  /// Starts of messages that turned out to be none, before a stream is not searched any more.
  private static var maximumFailures: UInt8 { 16 }

  /// Reads what the stream holds, message by message, until it needs more.
  mutating func readStream<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    messages = 0
    while flows[index].stream >= 0, flows[index].phase != .decided {
      let stream = flows[index].stream
      guard streams[stream].assembler.unparsedCount > 0 else { break }
      let goesOn: Bool
      switch streams[stream].mode {
      case .detect: goesOn = detect(index, meta, now, &sink)
      case .tls: goesOn = readHello(index, meta, acknowledgement, now, &sink)
      case .http: goesOn = readRequest(index, meta, acknowledgement, now, &sink)
      case .chunks: goesOn = skipChunks(index)
      case .contested: goesOn = readContested(index, meta, now, &sink)
      case .http2: goesOn = readFrames(index, meta, acknowledgement: acknowledgement, now, &sink)
      case .socks: goesOn = readSOCKS(index, meta, acknowledgement, now, &sink)
      case .dns: goesOn = readDNS(index, meta, acknowledgement, now, &sink)
      case .search: goesOn = search(index, meta, acknowledgement, now, &sink)
      case .settled: goesOn = false
      }
      if !goesOn { break }
    }
    return current(index)
  }

  /// Replay and the end of a flow: what is missing will not come any more, so reading goes on behind each gap.
  mutating func readPastGaps<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    var rounds = StreamAssembler.maximumPending
    while rounds > 0, flows[index].stream >= 0, streams[flows[index].stream].assembler.hasGap {
      rounds -= 1
      guard streams[flows[index].stream].assembler.jumpGap() else { return }
      streams[flows[index].stream].mode = .search
      _ = readStream(index, PacketMeta(originalLength: 0), acknowledgement: nil, now, &sink)
    }
  }

  /// Decides by the first bytes what a message is.
  private mutating func detect<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    let kind = streams[stream].withRest { Classifier.couldBe($0, midstream: false) }
    switch kind {
    case .tls: streams[stream].mode = .tls
    case .http: streams[stream].mode = .http
    case .http2: streams[stream].mode = .http2(HTTP2Reader())
    case .needMore: return isWithinLimit(index, meta, now, &sink) && false
    case .unknown:
      guard streams[stream].withRest({ SOCKSReader.begins($0) }) else { return becomeNameless(index, meta, now, &sink) }
      streams[stream].mode = .socks(SOCKSReader())
    }
    return true
  }

  private mutating func readHello<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    let result = streams[stream].withRest { TLSHello.parse($0, into: &hello, scratch: &scratch) }
    switch result {
    case .needMore:
      _ = isWithinLimit(index, meta, now, &sink)
      return false
    case .malformed(let error):
      // Servers take longer and more broken hellos than are read here: what one names is judged all the same, and
      // one too long to be read is one that does not end.
      if let name = hello.serverName, let outcome = denial(of: name, session: flows[index].session) {
        if refuse(index, outcome, meta, now, &sink) != nil { return false }
      }
      guard error != .tooMany else {
        refuseIncomplete(index, meta, now, &sink)
        return false
      }
      return giveUpMessage(index, meta, now, &sink)
    case .notThisProtocol: return giveUpMessage(index, meta, now, &sink)
    case .complete(let length):
      recordFact(index, fromClient: true, .tls(hello), &sink)
      let claim: Claim = hello.hasEncryptedClientHello ? .publicName : streams[stream].isTunnel ? .tunnelSNI : .sni
      let outcome = name(index, hello.serverName, claim, now)
      var event = event(.tls(hello), on: index, at: now)
      describe(outcome, in: &event)
      sink.record(event)
      if claim == .tunnelSNI { raiseFronting(index, hello.serverName, outcome, now, &sink) }
      if outcome.verdict.action != .accept, refuse(index, outcome, meta, now, &sink) != nil { return false }
      if outcome.verdict.action == .accept { raiseFlags(outcome, index, now, &sink) }
      if let name = hello.serverName { noteName(name, type: nil, outcome, index, now, &sink) }
      let isTunnel = streams[stream].isTunnel
      noteProtocol(index, .tls, FlowShape.Naming(hello.serverName), outcome, isTunnel: isTunnel, now, &sink)
      settle(index, outcome.verdict)
      complete(index, length, acknowledgement)
      streams[stream].mode = .settled
      flows[index].phase = .watched
      return false
    }
  }

  private mutating func readRequest<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    let result = streams[stream].withRest { HTTPRequestHead.parse($0, into: &head) }
    switch result {
    case .needMore:
      _ = isWithinLimit(index, meta, now, &sink)
      return false
    case .malformed, .notThisProtocol: return giveUpMessage(index, meta, now, &sink)
    case .complete(let length):
      guard countMessage(index, limit: Self.maximumMessages, meta, now, &sink) else { return false }
      if sink.wantsFacts {
        let target = streams[stream].withRest { $0.extracting(head.targetRange).array() }
        recordFact(index, fromClient: true, .http(head, target: target), &sink)
      }
      streams[stream].requests &+= 1
      let claim: Claim = head.isConnect || head.targetHost != nil || streams[stream].isTunnel ? .tunnelTarget : .host
      let outcome = otherDenied(index) ?? name(index, head.destinationName, claim, now)
      let shape = readShape(index, outcome)
      var event = event(.http(head), on: index, at: now)
      event.shape = .request(shape)
      describe(outcome, in: &event)
      sink.record(event)
      raiseRequestFlags(index, outcome, now, &sink)
      if outcome.verdict.action != .accept, refuse(index, outcome, meta, now, &sink) != nil { return false }
      if outcome.verdict.action == .accept { raiseFlags(outcome, index, now, &sink) }
      raiseShapeFlags(shape, outcome, index, now, &sink)
      if let name = head.destinationName { noteName(name, type: nil, outcome, index, now, &sink) }
      let isTunnel = streams[stream].isTunnel
      noteProtocol(index, .http, FlowShape.Naming(head.destinationName), outcome, isTunnel: isTunnel, now, &sink)
      if case .length(let count) = head.body { noteDeclared(index, UInt64(clamping: count), outcome, now, &sink) }
      settle(index, outcome.verdict)
      flows[index].phase = .watched
      complete(index, length, acknowledgement)
      if head.isConnect {
        streams[stream].isTunnel = true
        streams[stream].tunnelTarget = head.destinationName?.bytes ?? []
        streams[stream].mode = .detect
        return true
      }
      if let contest = head.contest {
        streams[stream].mode = .contested(contest)
        streams[stream].assembler.passParsed()
        return true
      }
      switch head.body {
      case .none: streams[stream].mode = head.asksUpgrade ? .search : .detect
      case .length(let count):
        streams[stream].mode = .detect
        streams[stream].assembler.skip(count)
      case .chunked:
        streams[stream].mode = .chunks(ChunkedBodySkipper())
        streams[stream].assembler.passParsed()
      }
      return true
    }
  }

  /// The denial of a host that the request in hand names beside its destination: servers differ in which they obey.
  mutating func otherDenied(_ index: Int32) -> ContactOutcome? {
    guard head.oddities.contains(.ambiguousHost) || head.targetHost != nil else { return nil }
    for name in [head.targetHost, head.host, head.otherHost] {
      if let name, let outcome = denial(of: name, session: flows[index].session) { return outcome }
    }
    return nil
  }

  private mutating func skipChunks(_ index: Int32) -> Bool {
    let stream = flows[index].stream
    guard case .chunks(var skipper) = streams[stream].mode else { return false }
    let used = streams[stream].withRest { skipper.consume($0) }
    streams[stream].assembler.markParsed(upTo: streams[stream].assembler.parsed + used)
    streams[stream].assembler.dropParsed()
    if skipper.isBroken {
      streams[stream].mode = .search
    } else if skipper.isComplete {
      streams[stream].mode = .detect
    } else {
      streams[stream].mode = .chunks(skipper)
      return used > 0
    }
    return true
  }

  private mutating func readDNS<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    let available = streams[stream].assembler.unparsedCount
    guard let length = streams[stream].withRest({ DNSMessage.tcpLength($0) }), available >= length + 2 else {
      // Another protocol's first bytes say a length as well, one that would be waited for.
      switch streams[stream].withRest({ Classifier.couldBe($0, midstream: true) }) {
      case .tls, .http, .http2:
        streams[stream].mode = .detect
        return true
      case .unknown, .needMore: break
      }
      if available >= 2, length(ofDNS: stream) < 12 { streams[stream].mode = .detect; return true }
      return false
    }
    let failure = streams[stream].withRest { DNSMessage.parse($0.extracting(2..<2 + length), into: &message) }
    guard failure == nil else {
      streams[stream].mode = .detect
      return true
    }
    guard countMessage(index, limit: Self.maximumMessages, meta, now, &sink) else { return false }
    complete(index, 2 + length, acknowledgement)
    guard !message.isResponse else { return true }
    recordFact(index, fromClient: true, .dns(message, overTCP: true, isOther: false), &sink)
    let verdict = judgeQuestions(index, meta, now, &sink)
    if verdict.action != .accept {
      // A stream cannot lose one question: the connection is refused.
      settle(index, Verdict(verdict.action, verdict.reason))
      releaseStream(index)
      return false
    }
    return true
  }

  private func length(ofDNS stream: Int32) -> Int { streams[stream].withRest { DNSMessage.tcpLength($0) } ?? 12 }

  /// Looks through bytes of an unknown protocol for the start of a hello or request. They are compared until the server
  /// has answered, like a hello's: what never reaches the server could stand where the hello comes.
  private mutating func search<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    if streams[stream].failures >= Self.maximumFailures {
      releaseStream(index)
      flows[index].phase = .decided
      flows[index].epoch = policy.epoch
      return false
    }
    let (found, kind, searched) = streams[stream].withRest { Self.findStart(in: $0) }
    complete(index, found, acknowledgement)
    streams[stream].searched += searched
    if kind == .needMore, streams[stream].assembler.unparsedCount > StreamAssembler.messageLimit {
      // Text that goes on and on without becoming a request.
      return giveUpMessage(index, meta, now, &sink)
    }
    switch kind {
    case .tls: streams[stream].mode = .tls
    case .http: streams[stream].mode = .http
    case .http2: streams[stream].mode = .http2(HTTP2Reader())
    case .unknown, .needMore:
      if !flows[index].isCharged { _ = becomeNameless(index, meta, now, &sink) }
      if flows[index].stream >= 0, streams[stream].searched > Self.searchLimit {
        releaseStream(index)
        flows[index].phase = .decided
        flows[index].epoch = policy.epoch
      }
      return false
    }
    return true
  }

  /// The offset of the first thing that could be a hello or request, or of the tail that must be seen again.
  private static func findStart(in bytes: RawSpan) -> (offset: Int, kind: StreamProtocol, searched: Int) {
    let atStart = Classifier.couldBe(bytes, midstream: true)
    if atStart == .tls || atStart == .http || atStart == .http2 { return (0, atStart, 0) }
    var offset = atStart == .needMore ? 0 : 1
    while offset < bytes.byteCount {
      // Inside a segment only a hello is looked for: its start is unmistakable, a method's is a word.
      // The byte after it is looked at here, or a packet full of such starts would cost a look at each of them.
      if bytes.byte(at: offset) == 0x16, offset + 1 == bytes.byteCount || bytes.byte(at: offset + 1) == 3 {
        let kind = Classifier.couldBe(bytes.extracting(droppingFirst: offset), midstream: true)
        if kind == .tls { return (offset, .tls, offset) }
        if kind == .needMore { return (offset, .needMore, offset) }
      }
      offset += 1
    }
    if atStart == .needMore { return (0, .needMore, 0) }
    return (bytes.byteCount, .unknown, bytes.byteCount)
  }

  /// The first payload is no hello and no request: the flow counts as its address, and is searched for what may
  /// come later.
  private mutating func becomeNameless<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    noteOpaqueStream(index, now, &sink)
    if !flows[index].isCharged {
      let outcome = charge(index, name: nil, claim: nil, now)
      if outcome.verdict.action != .accept {
        if refuse(index, outcome, meta, now, &sink) != nil { return false }
      } else {
        raiseFlags(outcome, index, now, &sink)
      }
      settle(index, outcome.verdict)
      flows[index].phase = .watched
    }
    streams[flows[index].stream].mode = .search
    return true
  }

  /// What looked like a message is none: its first byte is passed over, so that the search behind it makes progress.
  /// After a few such the stream is not searched any more, or an attacker would choose how long one packet takes.
  mutating func giveUpMessage<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    streams[stream].assembler.markParsed(upTo: streams[stream].assembler.parsed + 1)
    streams[stream].searched += 1
    streams[stream].failures += 1
    return becomeNameless(index, meta, now, &sink)
  }

  /// True while a hello or head may still end in time; else the exception policy decides the flow.
  mutating func isWithinLimit<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    guard streams[flows[index].stream].assembler.unparsedCount > StreamAssembler.messageLimit else { return true }
    refuseIncomplete(index, meta, now, &sink)
    return false
  }

  /// Applies the exception policy for a message that does not end. Where it accepts, the flow counts as nameless.
  mutating func refuseIncomplete<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) {
    let outcome = ContactOutcome(verdict: Verdict(policy.parts.exceptions.helloIncomplete, .helloIncomplete))
    if outcome.verdict.action != .accept, refuse(index, outcome, meta, now, &sink) != nil { return }
    _ = becomeNameless(index, meta, now, &sink)
    guard flows[index].stream >= 0 else { return }
    releaseStream(index)
    settle(index, Verdict(.accept, .helloIncomplete))
  }

  /// Judges the name a message claims, and remembers it for a change of policy.
  mutating func name(_ index: Int32, _ name: HostName?, _ claim: Claim, _ now: Timestamp) -> ContactOutcome {
    let former = flows[index].name
    flows[index].name = name.map { names.take($0, claim) } ?? -1
    if former >= 0 { names.release(former) }
    var outcome = charge(index, name: name, claim: claim, now)
    weigh(index, name, claim, &outcome, now)
    return outcome
  }

  /// Marks a message as parsed; its bytes stay until the server has answered.
  mutating func complete(_ index: Int32, _ length: Int, _ acknowledgement: UInt32?) {
    let stream = flows[index].stream
    streams[stream].assembler.markParsed(upTo: streams[stream].assembler.parsed + length)
    streams[stream].acknowledged = acknowledgement
    streams[stream].awaitsAnswer = true
  }
}

extension StreamState {
  /// The bytes in order that were not parsed.
  func withRest<Result>(_ body: (RawSpan) -> Result) -> Result {
    assembler.withUnparsed(body)
  }
}
