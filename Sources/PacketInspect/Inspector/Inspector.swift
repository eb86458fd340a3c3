/// The engine: a pure function with memory from a packet and a time to a decision and events.
///
/// The only place that knows the order (design, section 2): Wire, Flow, Session, Dissect, Policy, record, decide.
/// Owned by one thread; policy is swapped between packets.
public struct Inspector<Domains: RegistrableDomains & Sendable> {
  var policy: PolicySnapshot
  let limits: InspectorLimits
  let domains: Domains
  let quicCryptography: (any QUICCryptography)?
  var flows: FlowTable
  var streams = StreamPool()
  var quic = QUICPool()
  var names = FlowNames()
  var deadlines: NamelessDeadlines
  var memory = NameMemory()
  var questions: OutstandingQuestions
  /// The sessions, with their destinations and budgets.
  public internal(set) var sessions = SessionTable()
  /// What was done so far.
  public internal(set) var counters = InspectorCounters()

  var nextFlagID: UInt64

  // Reused, so that parsing allocates only what it has not grown to yet.
  var hello = ClientHello()
  var head = HTTPRequestHead()
  var message = DNSMessage()
  var scratch: [UInt8] = []

  /// An inspector. `seed` keys the hash tables: secret in live use, fixed in replay, so that replay is repeatable.
  /// Flows and flags are numbered from `firstFlowID`, which a restart moves on so that no number comes twice.
  /// Without `quicCryptography` QUIC is not read: its flows count as their addresses.
  public init(
    policy: PolicySnapshot, domains: Domains, quicCryptography: (any QUICCryptography)? = nil,
    limits: InspectorLimits = InspectorLimits(), seed: UInt64 = 0x51_7c_c1_b7_27_22_0a_95, firstFlowID: UInt64 = 1
  ) {
    self.policy = policy
    self.domains = domains
    self.quicCryptography = quicCryptography
    self.limits = limits
    nextFlagID = firstFlowID
    flows = FlowTable(capacity: limits.flows, seed: seed, firstID: firstFlowID)
    deadlines = NamelessDeadlines(capacity: limits.flows)
    questions = OutstandingQuestions(seed: seed)
  }

  /// Flows tracked now.
  public var flowCount: Int { flows.count }
  /// Flows whose bytes are being assembled now.
  public var streamCount: Int { streams.inUse }
  /// UDP flows whose QUIC connections are remembered now.
  public var quicFlowCount: Int { quic.inUse }

  /// Takes a new policy. Decisions of older epochs expire at each flow's next packet.
  public mutating func replacePolicy(_ policy: PolicySnapshot) { self.policy = policy }

  /// Judges one packet, which starts at its IP header.
  public mutating func inspect<Sink: EventSink>(
    _ packet: RawSpan, meta: PacketMeta, now: Timestamp, into sink: inout Sink
  ) -> Decision {
    counters.packets &+= 1
    let verdict: Verdict
    do {
      let view = try PacketView.parse(packet)
      verdict = judge(view, packet, meta, now, &sink)
    } catch {
      counters.malformed &+= 1
      verdict = Verdict(effective(policy.parts.exceptions.malformed), .malformed, scope: .packet)
    }
    switch verdict.action {
    case .accept: counters.accepted &+= 1
    case .drop: counters.dropped &+= 1
    case .reject: counters.rejected &+= 1
    }
    return Decision(verdict)
  }

  /// In observe mode nothing is done to a packet, whatever was decided.
  func effective(_ action: Action) -> Action { policy.parts.mode == .observe ? .accept : action }

  private mutating func judge<Sink: EventSink>(
    _ view: borrowing PacketView, _ packet: RawSpan, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    let (key, sourceIsFirst) = FlowKey.make(
      source: view.source, sourcePort: view.sourcePort, destination: view.destination,
      destinationPort: view.destinationPort, proto: view.proto.rawValue)
    var index = flows.find(key)
    if index >= 0, let tcp = view.tcp, isReuse(index, tcp, sourceIsFirst: sourceIsFirst) {
      end(index, now, &sink)
      index = -1
    }
    if index < 0 {
      let clientIsFirst = sourceIsClient(view, meta) == sourceIsFirst
      index = begin(key, clientIsFirst: clientIsFirst, view, now)
      guard index >= 0 else {
        counters.flowTableFull &+= 1
        return untracked(view, now)
      }
    } else {
      flows.touch(index, at: now)
    }
    let fromClient = flows[index].clientIsFirst == sourceIsFirst
    if fromClient {
      flows[index].clientPackets &+= 1
      flows[index].clientBytes &+= UInt64(meta.originalLength)
    } else {
      flows[index].serverPackets &+= 1
      flows[index].serverBytes &+= UInt64(meta.originalLength)
    }
    if flows[index].phase == .decided {
      if let tcp = view.tcp { noteEnd(index, tcp, fromClient: fromClient) }
      let isCurrent = flows[index].epoch == policy.epoch || !fromClient
      // Another QUIC connection on the same socket is another destination.
      let mayBegin = fromClient && mayBeginQUIC(view)
      if isCurrent, !mayBegin || effective(flows[index].action) != .accept {
        counters.fastPath &+= 1
        return Verdict(effective(flows[index].action), flows[index].reason)
      }
      if !isCurrent {
        let verdict = judgeAgain(index, view, meta, now, &sink)
        if !mayBegin || verdict.action != .accept { return verdict }
      }
    }
    if let tcp = view.tcp, view.fragment == nil {
      return judgeSegment(index, view, tcp, packet, meta, fromClient: fromClient, now, &sink)
    }
    if view.proto == .udp, view.fragment == nil || view.fragment?.offset == 0 {
      return judgeDatagram(index, view, meta, fromClient: fromClient, now, &sink)
    }
    return judgeNameless(index, view, meta, fromClient: fromClient, now, &sink)
  }

  /// A SYN on a known flow's endpoints begins another connection, unless it repeats the one that began this one.
  private func isReuse(_ index: Int32, _ tcp: TCPFields, sourceIsFirst: Bool) -> Bool {
    guard tcp.flags.contains(.syn), !tcp.flags.contains(.ack) else { return false }
    let flow = flows[index]
    return flow.clientIsFirst != sourceIsFirst || flow.isMidstream || flow.isClosing
      || flow.firstSequence != tcp.sequence &+ 1
  }

  /// Whose side is inspected. Live, our rules queue what agents send, and DNS answers to them: the sender is the
  /// agent, whoever opened the connection. A capture shows both sides, so the one that opened it is the client.
  private func sourceIsClient(_ view: borrowing PacketView, _ meta: PacketMeta) -> Bool {
    if meta.hook != .replay {
      return !(view.sourcePort == 53 && view.destinationPort != 53)
    }
    if let tcp = view.tcp {
      if tcp.flags.contains(.syn) { return !tcp.flags.contains(.ack) }
      if view.payload.byteCount > 0 {
        switch Classifier.couldBe(view.payload, midstream: true) {
        case .tls, .http: return true
        case .unknown, .needMore: break
        }
      }
    }
    if view.sourcePort == view.destinationPort || isClientInitial(view) { return true }
    // Neither side's opening was seen: services live on lower ports than the clients that use them.
    return view.destinationPort < view.sourcePort
  }

  private mutating func begin(
    _ key: FlowKey, clientIsFirst: Bool, _ view: borrowing PacketView, _ now: Timestamp
  ) -> Int32 {
    let client = clientIsFirst ? key.first : key.second
    let session = sessions.index(for: client, policy: policy, at: now)
    let index = flows.insert(key, clientIsFirst: clientIsFirst, session: session, at: now)
    guard index >= 0 else { return -1 }
    counters.flows &+= 1
    sessions[session].lastSeen = max(sessions[session].lastSeen, now)
    if let tcp = view.tcp {
      flows[index].isMidstream = !tcp.flags.contains(.syn)
      // A SYN-ACK from the other side tells the client's first sequence number just as well.
      let isFromClient = client == view.source && flows[index].clientPort == view.sourcePort
      flows[index].firstSequence = isFromClient ? tcp.sequence &+ 1 : tcp.acknowledgement
      deadlines.push(flow: index, id: flows[index].id, at: now)
    }
    return index
  }

  /// Without a place in the table only the address can be judged.
  private func untracked(_ view: borrowing PacketView, _ now: Timestamp) -> Verdict {
    if let match = DenyRule.match(address: view.destination, policy: policy) {
      return Verdict(effective(match.action), match.reason, scope: .packet)
    }
    return Verdict(effective(policy.parts.exceptions.flowTableFull), .flowTableFull, scope: .packet)
  }

  /// The agent is done, or someone cut the connection: the flow may be forgotten soon.
  mutating func noteEnd(_ index: Int32, _ tcp: TCPFields, fromClient: Bool) {
    if tcp.flags.contains(.rst) || (fromClient && tcp.flags.contains(.fin)) { flows[index].isClosing = true }
  }
}
