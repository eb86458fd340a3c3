extension Inspector {
  /// Reads what a client says to a SOCKS proxy; the target that it asks for is judged like CONNECT's, and what follows
  /// speaks to that target.
  mutating func readSOCKS<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ acknowledgement: UInt32?, _ now: Timestamp, _ sink: inout Sink
  ) -> Bool {
    let stream = flows[index].stream
    guard case .socks(var reader) = streams[stream].mode else { return false }
    let step = streams[stream].withRest { reader.next($0) }
    streams[stream].mode = .socks(reader)
    switch step {
    case .needMore: return false
    case .notThisProtocol: return giveUpMessage(index, meta, now, &sink)
    case .pass(let length):
      complete(index, length, acknowledgement)
      return true
    case .request(let length, let target):
      guard countMessage(index, limit: Self.maximumMessages, meta, now, &sink) else { return false }
      let outcome = name(index, target, .tunnelTarget, now)
      if outcome.verdict.action != .accept, refuse(index, outcome, meta, now, &sink) != nil { return false }
      if outcome.verdict.action == .accept { raiseFlags(outcome, index, now, &sink) }
      if let target { noteName(target, type: nil, outcome, index, now, &sink) }
      settle(index, outcome.verdict)
      flows[index].phase = .watched
      complete(index, length, acknowledgement)
      streams[stream].isTunnel = true
      streams[stream].tunnelTarget = target?.bytes ?? []
      streams[stream].mode = .detect
      return true
    }
  }
}
