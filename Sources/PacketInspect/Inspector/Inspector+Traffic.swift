extension Inspector {
  /// Payload bytes at which a flow is first looked at for how much it sends.
  private static var firstLook: UInt64 { 16_384 }
  /// Payload bytes with which a client that was quiet begins another exchange. Less keeps a connection alive: pings of
  /// HTTP/2, WebSocket and SSH.
  private static var smallestExchange: UInt64 { 128 }
  /// Client packets of a QUIC handshake; what follows are exchanges.
  private static var handshakeDatagrams: UInt32 { 4 }
  /// Mean payload of an upload's datagrams, where the other direction is not seen. Acknowledgements of a download,
  /// all that is seen of it then, are far smaller, uploads far larger.
  private static var uploadDatagram: UInt64 { 400 }
  /// Payload bytes of its handshake, about: three padded datagrams.
  private static var paddedHandshake: UInt64 { 3_600 }
  /// Payload bytes of an exchange, of which only the client's side is seen, that may be an upload: a request and its
  /// cookies fit in less.
  private static var smallestBlindUpload: UInt64 { 8_192 }
  /// Mean payload from which on echo requests are no probes.
  private static var bulkEcho: UInt64 { 256 }

  /// Notes which destination a flow was charged to.
  mutating func noteDestination(_ index: Int32, _ key: DestinationKey, _ category: Category) {
    flows[index].traffic.destination = key.tag
    let isService = KnownServices.contains(key, category, sessions[flows[index].session].shapePolicy)
    flows[index].traffic.marks[.service] = isService
    flows[index].traffic.marks[.polled] = isService || KnownServices.isPolled(category)
    flows[index].traffic.marks[.reportedTo] = KnownServices.isReportedTo(category)
    flows[index].traffic.marks[.store] =
      KnownServices.isStore(key, category) && sessions.isExpected(category, of: flows[index].session)
  }

  /// Bytes from which on a flow or request may be upload-heavy.
  private func uploadThreshold(_ index: Int32) -> UInt64 {
    let bytes = sessions[flows[index].session].shapePolicy.uploadBytes
    guard flows[index].traffic.marks[.store] else { return bytes }
    let (more, isTooMuch) = bytes.multipliedReportingOverflow(by: KnownServices.storeFactor)
    return isTooMuch ? .max : more
  }

  /// Takes a contact that is not a destination's first.
  mutating func regularContact(
    _ session: Int32, _ tag: UInt32, _ previous: Timestamp?, isLookUp: Bool, _ now: Timestamp
  ) -> BeaconFinding? {
    sessions.withTraffic(session) {
      $0.beacons.contact(tag, previous: previous, isLookUp: isLookUp, policy: $1, at: now)
    }
  }

  /// Looks at a flow whose client sends payload after a pause, or has sent so much that it is time. Rare by
  /// construction: every other packet only adds to the counts.
  mutating func lookAtTraffic<Sink: EventSink>(
    _ index: Int32, payload: UInt64, gap: Int64, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard flows[index].isExternal else {
      flows[index].traffic.nextLook = .max
      return
    }
    let before = flows[index].traffic.sent &- payload
    if !flows[index].traffic.marks[.greeted] {
      guard isPastGreeting(index) else { return }
      flows[index].traffic.marks[.greeted] = true
      flows[index].traffic.nextLook = max(Self.firstLook, flows[index].traffic.sent)
      let hasHandshake = flows[index].traffic.proto == .tls || flows[index].traffic.proto == .quic
      if hasHandshake { beginExchange(index, at: before) }
    } else if gap > FlowTraffic.quiet, payload >= Self.smallestExchange {
      endExchange(index, at: before, now, &sink)
      judgeOpaque(index, now, &sink)
      let finding = regularContact(
        flows[index].session, flows[index].traffic.destination, now.advanced(byNanoseconds: -gap), isLookUp: false, now)
      if let finding, !flows[index].traffic.marks[.polled] {
        var outcome = ContactOutcome(verdict: Verdict(flows[index].action, flows[index].reason))
        outcome.beacon = finding
        outcome.destination = knownDestination(index)
        raiseBeacon(outcome, flows[index].session, index, now, &sink)
      }
    }
    guard flows[index].traffic.sent >= flows[index].traffic.nextLook else { return }
    judgeOpaque(index, now, &sink)
    judgeUpload(index, now, &sink)
    countVolume(index, now, &sink)
    let sent = flows[index].traffic.sent
    let threshold = uploadThreshold(index)
    let next = min(sent &* 2, sent &+ FlowTraffic.lookInterval)
    flows[index].traffic.nextLook = sent < threshold ? min(next, threshold) : next
  }

  /// True when what follows is no handshake any more: of TLS, the client's first bytes after the server has answered
  /// its hello, which acknowledge the whole of the answer.
  private func isPastGreeting(_ index: Int32) -> Bool {
    let flow = flows[index]
    switch flow.traffic.proto {
    case .tls: return flow.received ?? 0 > 0 || flow.traffic.sent > Self.firstLook
    case .quic: return flow.clientPackets > Self.handshakeDatagrams
    case .unknown: return flow.traffic.sent > Self.firstLook || flow.isMidstream
    default: return true
    }
  }

  private mutating func beginExchange(_ index: Int32, at sent: UInt64) {
    flows[index].traffic.exchangeSent = UInt32(truncatingIfNeeded: sent)
    flows[index].traffic.exchangeReceived = UInt32(truncatingIfNeeded: flows[index].received ?? 0)
  }

  /// What the exchange in hand has sent by `sent`, and received; nil where nothing tells what was received.
  private func exchange(_ index: Int32, at sent: UInt64) -> (sent: UInt64, received: UInt64?) {
    let traffic = flows[index].traffic
    let out = UInt64(UInt32(truncatingIfNeeded: sent) &- traffic.exchangeSent)
    let back = flows[index].received.map { UInt64(UInt32(truncatingIfNeeded: $0) &- traffic.exchangeReceived) }
    return (out, back)
  }

  /// True when a flow of which only the client's side is seen consists of an upload's packets.
  private func isMadeOfLarge(_ index: Int32) -> Bool {
    // The datagrams of a QUIC handshake are padded (RFC 9000 section 14.1), whatever comes after them.
    let flow = flows[index]
    guard flow.clientPackets > Self.handshakeDatagrams, flow.traffic.sent > Self.paddedHandshake else { return false }
    let mean =
      (flow.traffic.sent - Self.paddedHandshake) / UInt64(flow.clientPackets - Self.handshakeDatagrams)
    return mean >= Self.uploadDatagram
  }

  /// An exchange is over: its size may be one of many that are alike, and it may be a small upload.
  private mutating func endExchange<Sink: EventSink>(
    _ index: Int32, at sent: UInt64, _ now: Timestamp, _ sink: inout Sink
  ) {
    let (out, back) = exchange(index, at: sent)
    beginExchange(index, at: sent)
    let traffic = flows[index].traffic
    guard out > 0, traffic.destination != 0, traffic.proto != .dns else { return }
    let session = flows[index].session
    let isUpload =
      !traffic.marks[.service] && (back != nil || out >= Self.smallestBlindUpload && isMadeOfLarge(index))
    let finding = sessions.withTraffic(session) {
      $0.beacons.noteSize(traffic.destination, out)
      return isUpload
        ? $0.drip.note(
          traffic.destination, sent: out, received: back ?? 0,
          isAlone: traffic.marks[.reportedTo] || traffic.marks[.store], policy: $1, at: now)
        : nil
    }
    if let finding { raiseDrip(finding, index, now, &sink) }
  }

  /// The end of a flow: what is left of it is counted.
  mutating func endTraffic<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    guard flows[index].isExternal, flows[index].traffic.sent > 0 else { return }
    judgeOpaque(index, now, &sink)
    judgeUpload(index, now, &sink)
    let isOnlyHandshake = !flows[index].traffic.marks[.greeted] && flows[index].traffic.proto == .tls
    if !isOnlyHandshake { endExchange(index, at: flows[index].traffic.sent, now, &sink) }
    countVolume(index, now, &sink)
  }

  /// Counts for its session what a flow has sent since it was last asked.
  private mutating func countVolume<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    guard
      flows[index].traffic.proto != .quic && flows[index].traffic.proto != .opaqueUDP
        || flows[index].received != nil || isMadeOfLarge(index)
    else { return }
    let units = UInt32(truncatingIfNeeded: flows[index].traffic.sent >> 8)
    let more = UInt64(units &- flows[index].traffic.counted) << 8
    flows[index].traffic.counted = units
    let isService = flows[index].traffic.marks[.service]
    let finding = sessions.withTraffic(flows[index].session) {
      $0.noteSent(more, toService: isService, policy: $1, at: now)
    }
    if let finding { raiseVolume(finding, flows[index].session, now, &sink) }
  }

  /// Flags a flow that sends much more than it fetches. Towards a service, whose connections carry one prompt after the
  /// other, each exchange counts by itself.
  private mutating func judgeUpload<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let threshold = uploadThreshold(index)
    let traffic = flows[index].traffic
    guard !traffic.marks[.uploadFlagged], traffic.sent >= threshold else { return }
    var (out, back) = (traffic.sent, flows[index].received)
    if traffic.marks[.service] { (out, back) = exchange(index, at: traffic.sent) }
    guard out >= threshold else { return }
    if let back {
      let ratio = sessions[flows[index].session].shapePolicy.uploadRatio
      guard Double(out) >= ratio * Double(back) else { return }
    } else {
      guard isMadeOfLarge(index) else { return }
    }
    raiseUpload(index, out, back, isDeclared: false, now, &sink)
  }

  /// Flags a request that says it will send much.
  mutating func noteDeclared<Sink: EventSink>(
    _ index: Int32, _ bytes: UInt64, _ outcome: ContactOutcome, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard bytes >= uploadThreshold(index), outcome.destination?.isExternal == true,
      !flows[index].traffic.marks[.uploadFlagged]
    else { return }
    raiseUpload(index, bytes, nil, isDeclared: true, now, &sink)
  }

  // MARK: Protocols

  /// Notes what a flow turned out to speak, and judges whether that is usual: for its agent type, on its port, and to
  /// an address that nothing named.
  mutating func noteProtocol<Sink: EventSink>(
    _ index: Int32, _ proto: ProtocolClass, _ naming: FlowShape.Naming, _ outcome: ContactOutcome, isTunnel: Bool,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    let known = flows[index].traffic.proto
    let isSame = known == proto && flows[index].traffic.marks[.judged]
    flows[index].traffic.proto = proto
    flows[index].traffic.naming = naming
    flows[index].traffic.marks[.judged] = true
    if naming == .literal || naming == .absent, let place = outcome.destination, place.isExternal,
      place.evidence == .address || place.evidence == .sniUnverified || place.evidence == .hostUnverified
    {
      raiseLiteral(index, place, now, &sink)
    }
    guard !isSame, flows[index].isExternal, !isTunnel else { return }
    raiseNewProtocol(index, outcome.destination, now, &sink)
    let port = flows[index].serverPort
    let usual = proto.usualPorts
    if !usual.isEmpty, !usual.contains(port), !sessions[flows[index].session].shapePolicy.ports.contains(port) {
      raiseOddPort(index, outcome.destination, now, &sink)
    }
  }

  /// Recognises a stream by its first bytes, which are no hello and no request. One that nothing is known of may still
  /// become TLS (STARTTLS, SOCKS, databases), so it is judged later.
  mutating func noteOpaqueStream<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    guard flows[index].traffic.proto == .unknown, !flows[index].isMidstream else { return }
    let stream = flows[index].stream
    let port = flows[index].serverPort
    let proto = streams[stream].withRest { OpaqueRecogniser.stream($0, port: port) }
    flows[index].traffic.proto = proto
    if proto != .opaqueTCP {
      noteProtocol(
        index, proto, .none, ContactOutcome(verdict: Verdict(.accept, .undecided)), isTunnel: false, now, &sink)
    }
  }

  /// Recognises a datagram, or what is no TCP at all.
  mutating func noteOpaqueDatagram<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ now: Timestamp, _ sink: inout Sink
  ) {
    switch view.proto {
    case .udp: flows[index].traffic.proto = OpaqueRecogniser.datagram(view.payload, port: flows[index].serverPort)
    case .icmp, .icmpv6: flows[index].traffic.proto = .icmp
    case .tcp: return
    default: flows[index].traffic.proto = .otherIP
    }
    let proto = flows[index].traffic.proto
    if proto != .opaqueUDP, proto != .icmp {
      noteProtocol(
        index, proto, .none, ContactOutcome(verdict: Verdict(.accept, .undecided)), isTunnel: false, now, &sink)
    }
  }

  /// Judges a flow that nothing has recognised by now, or whose echo requests carry too much.
  private mutating func judgeOpaque<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    let flow = flows[index]
    guard !flow.traffic.marks[.judged] else { return }
    switch flow.traffic.proto {
    case .opaqueTCP: break
    case .opaqueUDP:
      // A question or two that nobody answers is no conversation; and on 443 it may be QUIC whose beginning was missed.
      guard flow.clientPackets >= 3, flow.serverPort != 443 || flow.traffic.sent >= Self.firstLook else { return }
    case .icmp:
      let isBulk =
        flow.traffic.sent >= Self.firstLook
        && flow.traffic.sent / UInt64(max(1, flow.clientPackets)) >= Self.bulkEcho
      guard isBulk else { return }
      flows[index].traffic.proto = .icmpBulk
    default: return
    }
    flows[index].traffic.marks[.judged] = true
    let place = knownDestination(index)
    raiseNewProtocol(index, place, now, &sink)
    if flow.traffic.proto == .opaqueTCP, let place, place.evidence == .address {
      raiseLiteral(index, place, now, &sink)
    }
  }

  /// The destination that a flow was charged to, by its tag.
  func knownDestination(_ index: Int32) -> EventDestination? {
    sessions[flows[index].session].budget.destination(tagged: flows[index].traffic.destination).map { found in
      var evidence = found.evidence
      // An address has no better evidence than itself, whatever its first contact claimed.
      if case .domain = found.key {} else { evidence = .address }
      return EventDestination(key: found.key.text, evidence: evidence, isExternal: true, isNew: false)
    }
  }
}

extension FlowShape.Naming {
  /// How a hello or head names its server.
  init(_ name: HostName?) {
    guard let name, name.count > 0 else {
      self = .absent
      return
    }
    self = IPAddress(name) != nil ? .literal : .name
  }
}
