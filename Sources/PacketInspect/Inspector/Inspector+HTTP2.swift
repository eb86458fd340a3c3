extension Inspector {
  /// Reads one frame of an HTTP/2 connection in the clear, or several that name nobody; a header block is judged like a request head.
  mutating func readFrames<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    guard case .http2(var reader) = streams[stream].mode else { return false }
    // One owner while the tables change, or they would be copied.
    streams[stream].mode = .search
    let step = streams[stream].withRest { reader.next($0, into: &http2Request, block: &scratch) }
    streams[stream].mode = .http2(reader)
    switch step {
    case .needMore:
      _ = isWithinLimit(index, meta, now, &sink)
      return false
    case .malformed:
      // Servers end the connection here. Some other reading of these bytes must not go on unseen.
      refuseIncomplete(index, meta, now, &sink)
      return false
    case .skip(let head, let payload):
      streams[stream].assembler.markParsed(upTo: streams[stream].assembler.parsed + head)
      streams[stream].assembler.dropParsed()
      streams[stream].assembler.skip(UInt64(payload))
      return true
    case .trailers(let length):
      guard countMessage(index, limit: Self.maximumHeaderBlocks, meta, now, &sink) else { return false }
      complete(index, length, acknowledgement)
      streams[stream].assembler.passParsed()
      return true
    case .request(let length):
      guard countMessage(index, limit: Self.maximumHeaderBlocks, meta, now, &sink) else { return false }
      return judgeHTTP2Request(index, length, meta, acknowledgement, now, &sink)
    }
  }

  private mutating func judgeHTTP2Request<Sink: EventSink>(
    _ index: Int32, _ length: Int, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    head.take(http2Request)
    recordFact(index, fromClient: true, .http(head, target: []), &sink)
    streams[stream].requests &+= 1
    let claim: Claim = head.isConnect || streams[stream].isTunnel ? .tunnelTarget : .host
    let outcome = otherDenied(index) ?? name(index, head.destinationName, claim, now)
    var event = event(.http(head), on: index, at: now)
    describe(outcome, in: &event)
    sink.record(event)
    raiseRequestFlags(index, outcome, now, &sink)
    if outcome.verdict.action != .accept, refuse(index, outcome, meta, now, &sink) != nil { return false }
    if outcome.verdict.action == .accept { raiseFlags(outcome, index, now, &sink) }
    let isTunnel = streams[stream].isTunnel
    noteProtocol(index, .http, FlowShape.Naming(head.destinationName), outcome, isTunnel: isTunnel, now, &sink)
    settle(index, outcome.verdict)
    flows[index].phase = .watched
    complete(index, length, acknowledgement)
    // Compared until the server answers, while the frames behind it are read.
    streams[stream].assembler.passParsed()
    return true
  }
}
