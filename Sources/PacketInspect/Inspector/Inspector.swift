/// The engine: a pure function with memory from a packet and a time to a decision and events.
///
/// The only place that knows the order (design, section 2): Wire, Flow, Session, Dissect, Policy, record, decide.
/// Owned by one thread; policy is swapped between packets.
public struct Inspector<Domains: RegistrableDomains & Sendable> {
  var policy: PolicySnapshot
  let limits: InspectorLimits
  let quicCryptography: (any QUICCryptography)?
  var flows: FlowTable
  var streams = StreamPool()
  var quic = QUICPool()
  var names: FlowNames
  var deadlines: NamelessDeadlines
  var memory = NameMemory()
  var resolved: ResolvedNames
  var questions: OutstandingQuestions
  var recentQuestions: RecentQuestions
  private var destinationKeys: DestinationKeyCache
  let senderSeed: UInt64
  /// The sessions, with their destinations and budgets.
  public internal(set) var sessions = SessionTable()
  /// What was done so far.
  public internal(set) var counters = InspectorCounters()
  /// Packets by verdict and reason.
  public private(set) var verdicts = VerdictCounts()
  /// Flags raised, by kind.
  public internal(set) var flagCounts: [FlagKind: UInt64] = [:]

  /// What the host knows of senders; nil in replay.
  public var evidence: (any SessionEvidence)?
  /// True while the kernel may keep flows to itself: somebody accounts for their bytes and can take them back.
  public var mayOffload = false
  /// True when passed flows are to be taken back: the policy has changed, or one was forgotten here that the kernel
  /// still has. Whoever takes them back resets it.
  public var owesRevocation = false
  /// True when it will owe one at the next tick.
  var owesRevocationSoon = false
  /// A shift of a session's mix that is to be flagged with the contact that made it certain.
  var pendingShifts: [(session: Int32, shift: MixShift)] = []
  var nextFlagID: UInt64
  /// Keys the hashes of what agents choose.
  let seed: UInt64
  var lastIdleLook = Timestamp(nanoseconds: 0)
  var lastStateLook = Timestamp(nanoseconds: 0)
  /// When flows were last looked through for what is over.
  var lastSweep: Timestamp?

  // Reused, so that parsing allocates only what it has not grown to yet.
  var hello = ClientHello()
  var head = HTTPRequestHead()
  var http2Request = HTTP2Request()
  var message = DNSMessage()
  var scratch: [UInt8] = []
  /// Whole messages that the packet in hand has brought so far.
  var messages = 0

  // Last: its size is known only to who makes the inspector, and what comes after it has no constant offset.
  let domains: Domains

  /// An inspector. `seed` keys the hash tables: secret in live use, fixed in replay, so that replay is repeatable.
  /// Flows and flags are numbered from `firstFlowID`, which a restart moves on so that no number comes twice.
  /// `nameHash` stands for labels that destinations do not show: its key is secret in live use as well.
  /// Without `quicCryptography` QUIC is not read: its flows count as their addresses.
  public init(
    policy: PolicySnapshot, domains: Domains, quicCryptography: (any QUICCryptography)? = nil,
    limits: InspectorLimits = InspectorLimits(), seed: UInt64 = 0x51_7c_c1_b7_27_22_0a_95, firstFlowID: UInt64 = 1,
    nameHash: KeyedHash = KeyedHash(key: (0, 0))
  ) {
    self.policy = policy
    self.domains = domains
    self.quicCryptography = quicCryptography
    self.limits = limits
    nextFlagID = firstFlowID
    self.seed = seed
    flows = FlowTable(capacity: limits.flows, seed: seed, firstID: firstFlowID)
    flows.passEpoch = policy.epoch
    names = FlowNames(seed: seed)
    deadlines = NamelessDeadlines(capacity: limits.flows)
    questions = OutstandingQuestions(seed: seed)
    resolved = ResolvedNames(seed: seed)
    recentQuestions = RecentQuestions(seed: seed)
    destinationKeys = DestinationKeyCache(seed: seed, hash: nameHash)
    senderSeed = seed
  }

  /// Flows tracked now.
  public var flowCount: Int { flows.count }
  /// Flows whose bytes are being assembled now.
  public var streamCount: Int { streams.inUse }
  /// UDP flows whose QUIC connections are remembered now.
  public var quicFlowCount: Int { quic.inUse }

  /// Bytes of streams kept now.
  public var heldStreamBytes: Int { streams.heldBytes }

  /// Takes a new policy. Decisions of older epochs expire at each flow's next packet.
  public mutating func replacePolicy(_ policy: PolicySnapshot) {
    self.policy = policy
    owesRevocation = true
    flows.passEpoch = policy.epoch
  }

  /// Judges one packet, which starts at its IP header.
  public mutating func inspect<Sink: EventSink>(
    _ packet: RawSpan, meta: PacketMeta, now: Timestamp, into sink: inout Sink
  ) -> Decision {
    counters.packets &+= 1
    let verdict: Verdict
    var mayPass = false
    do {
      let view = try PacketView.parse(packet)
      verdict = judge(view, packet, meta, now, &sink, mayPass: &mayPass)
    } catch {
      counters.malformed &+= 1
      verdict = Verdict(effective(policy.parts.exceptions.malformed), .malformed, scope: .packet)
    }
    switch verdict.action {
    case .accept: counters.accepted &+= 1
    case .drop: counters.dropped &+= 1
    case .reject: counters.rejected &+= 1
    }
    verdicts.count(verdict.action, verdict.reason)
    return Decision(verdict, mayPass: mayPass, isPending: verdict.reason == .pendingAttribution)
  }

  /// What a name counts as.
  mutating func destinationKey(_ name: HostName) -> DestinationKey {
    destinationKeys.key(of: name, registrable: domains)
  }

  /// In observe mode nothing is done to a packet, whatever was decided.
  func effective(_ action: Action) -> Action { policy.parts.mode == .observe ? .accept : action }

  private mutating func judge<Sink: EventSink>(
    _ view: borrowing PacketView, _ packet: RawSpan, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink,
    mayPass: inout Bool
  ) -> Verdict {
    let (key, sourceIsFirst) = FlowKey.make(
      source: view.source, sourcePort: view.sourcePort, destination: view.destination,
      destinationPort: view.destinationPort, proto: view.proto.rawValue)
    var index = flows.find(key)
    if index >= 0, flows[index].isPassed, flows[index].clientIsFirst == sourceIsFirst {
      // Whatever was asked of the kernel, it does not keep what has these addresses to itself, or not yet.
      flows[index].isPassed = false
      flows[index].accounting = .lowerBound
    }
    let sender = senderTag(meta)
    if index >= 0, sender != flows[index].sender, sender != 0, flows[index].clientIsFirst == sourceIsFirst {
      switch judgeSender(index, view, sender, meta, now, &sink) {
      case .same: break
      case .another:
        end(index, now, &sink)
        index = -1
      case .foreign(let verdict): return verdict
      }
    }
    var gap: Int64 = 0
    if index >= 0, let tcp = view.tcp, isReuse(index, tcp, sourceIsFirst: sourceIsFirst) {
      if isInside(index, tcp, sourceIsFirst: sourceIsFirst) { return refuseConflict(index, meta, now, &sink) }
      end(index, now, &sink)
      index = -1
    } else if index >= 0,
      isTurned(index, view, meta, sourceIsFirst: sourceIsFirst)
        || isAnothers(index, view, meta, sourceIsFirst: sourceIsFirst)
    {
      end(index, now, &sink)
      index = -1
    }
    if index < 0 {
      let clientIsFirst = sourceIsClient(view, meta) == sourceIsFirst
      switch begin(key, clientIsFirst: clientIsFirst, view, meta, now, &sink) {
      case .flow(let begun): index = begun
      case .pending:
        counters.pending &+= 1
        return Verdict(effective(.drop), .pendingAttribution, scope: .packet)
      case .noRoom(let session):
        counters.flowTableFull &+= 1
        return untracked(view, session, now)
      }
    } else {
      gap = now.since(flows[index].lastSeen)
      flows[index].traffic.noteGap(gap)
      flows.touch(index, at: now)
    }
    let fromClient = flows[index].clientIsFirst == sourceIsFirst
    if !flows[index].isPlaced { noteAnswered(index, view, sender: sender, fromClient: fromClient) }
    if !fromClient, sender != 0, view.sourcePort == 53,
      let verdict = judgeAnswerer(index, view, meta, now, &sink)
    {
      return verdict
    }
    if fromClient {
      flows[index].clientPackets &+= 1
      flows[index].clientBytes &+= UInt64(meta.originalLength)
      sessions.countSent(flows[index].session, meta.originalLength, isExternal: flows[index].isExternal, at: now)
      if let tcp = view.tcp, tcp.flags.contains(.ack) {
        flows[index].traffic.noteAcknowledgement(tcp.acknowledgement)
      }
      let payload = UInt64(max(0, min(view.claimedPayloadLength, meta.originalLength)))
      flows[index].traffic.sent &+= payload
      if payload > 0, gap > FlowTraffic.quiet || flows[index].traffic.sent >= flows[index].traffic.nextLook {
        lookAtTraffic(index, payload: payload, gap: gap, now, &sink)
      }
    } else {
      flows[index].serverPackets &+= 1
      flows[index].serverBytes &+= UInt64(meta.originalLength)
      sessions.countReceived(flows[index].session, meta.originalLength)
    }
    if flows[index].epoch != policy.epoch, let verdict = judgeAnew(index, meta, fromClient: fromClient, now, &sink) {
      return verdict
    }
    if flows[index].phase == .decided {
      if let tcp = view.tcp { noteEnd(index, tcp, fromClient: fromClient) }
      // Another QUIC connection on the same socket is another destination.
      guard fromClient, effective(flows[index].action) == .accept, mayBeginQUIC(view) else {
        counters.fastPath &+= 1
        if fromClient { mayPass = passes(index, view) }
        return settled(index, fromClient: fromClient)
      }
    }
    if let tcp = view.tcp, view.fragment == nil {
      let verdict = judgeSegment(index, view, tcp, packet, meta, fromClient: fromClient, now, &sink)
      if fromClient { mayPass = passes(index, view) }
      return verdict
    }
    if view.proto == .tcp {
      // A piece of a segment (the kernel puts them together before it queues them): it names nobody, and must not
      // decide for the segments after it.
      if fromClient, !flows[index].isCharged { chargeSilent(index, now, &sink) }
      return current(index)
    }
    if view.proto == .udp, view.fragment == nil || view.fragment?.offset == 0 {
      return judgeDatagram(index, view, meta, fromClient: fromClient, now, &sink)
    }
    return judgeNameless(index, view, meta, fromClient: fromClient, now, &sink)
  }

  /// A SYN on a known flow's endpoints begins another connection, unless it repeats the one that began this one. A client
  /// repeats it after a reset of its own, too: where the server still has an older connection from that port, it
  /// acknowledges that, the client resets it and asks again (RFC 9293 section 3.5.1).
  private mutating func isReuse(_ index: Int32, _ tcp: TCPFields, sourceIsFirst: Bool) -> Bool {
    guard tcp.flags.contains(.syn), !tcp.flags.contains(.ack) else { return false }
    let flow = flows[index]
    if flow.clientIsFirst == sourceIsFirst, !flow.isMidstream, flow.firstSequence == tcp.sequence &+ 1,
      flow.traffic.sent == 0
    {
      flows[index].isClosing = false
      return false
    }
    return flow.clientIsFirst != sourceIsFirst || flow.isMidstream || flow.isClosing
      || flow.firstSequence != tcp.sequence &+ 1
  }

  /// True for a SYN that begins no other connection: its sequence number lies where this one's next bytes are awaited.
  /// A new connection's is random; this one would have the inspector lose its place while the server keeps it
  /// (RFC 5961 section 4).
  private func isInside(_ index: Int32, _ tcp: TCPFields, sourceIsFirst: Bool) -> Bool {
    let flow = flows[index]
    guard flow.clientIsFirst == sourceIsFirst, flow.phase != .decided, !flow.isMidstream || flow.stream >= 0,
      // Answered with a reset, as captures show it: nothing of this connection is left.
      !flow.isClosing || flow.clientPackets > 1
    else { return false }
    let expected = flow.stream >= 0 ? streams[flow.stream].assembler.nextSequence : flow.firstSequence
    let distance = Int(Int32(bitPattern: tcp.sequence &+ 1 &- expected))
    return abs(distance) <= StreamAssembler.window
  }

  /// True for a question on a flow whose first packet came from the resolver, which was taken for an agent then.
  private func isTurned(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, sourceIsFirst: Bool
  ) -> Bool {
    meta.hook != .replay && view.destinationPort == 53 && view.sourcePort != 53 && flows[index].clientPort == 53
      && flows[index].clientIsFirst != sourceIsFirst
  }

  /// True for a packet of another control group's socket with the same endpoints: a datagram's port is free as soon as
  /// its socket is closed, and echo requests have none. A new TCP connection shows itself by its SYN.
  private func isAnothers(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, sourceIsFirst: Bool
  ) -> Bool {
    meta.hook == .output && meta.slot != flows[index].slot && view.proto != .tcp
      && flows[index].clientIsFirst == sourceIsFirst
  }

  /// Whose side is inspected. Live, our rules queue what agents send, and DNS answers to them: the sender is the
  /// agent, whoever opened the connection. What comes from port 53 is an answer when its question was seen; without
  /// one (the daemon has just started) only from a trusted resolver to the operator's own, or an agent that sends
  /// from port 53 would never be looked at. A capture shows both sides, so the one that opened it is the client.
  private func sourceIsClient(_ view: borrowing PacketView, _ meta: PacketMeta) -> Bool {
    if meta.hook != .replay {
      guard view.sourcePort == 53, view.destinationPort != 53 else { return true }
      return !policy.parts.trustedResolvers.contains(view.source.canonical) || policy.isExternal(view.destination)
    }
    if let tcp = view.tcp {
      if tcp.flags.contains(.syn) { return !tcp.flags.contains(.ack) }
      if view.payload.byteCount > 0 {
        switch Classifier.couldBe(view.payload, midstream: true) {
        case .tls, .http, .http2: return true
        case .unknown, .needMore: break
        }
      }
    }
    if view.sourcePort == view.destinationPort || isClientInitial(view) { return true }
    // Neither side's opening was seen: services live on lower ports than the clients that use them.
    return view.destinationPort < view.sourcePort
  }

  private enum Beginning {
    case flow(Int32)
    /// Nobody can attribute it yet.
    case pending
    /// The table is full, mostly of its own flows; whose it is, is known all the same.
    case noRoom(session: Int32)
  }

  private mutating func begin<Sink: EventSink>(
    _ key: FlowKey, clientIsFirst: Bool, _ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Beginning {
    let client = clientIsFirst ? key.first : key.second
    // Only a sender can be asked about; the receiver of an answer is told by its address.
    let isFromClient =
      client == view.source && (clientIsFirst ? key.firstPort : key.secondPort) == view.sourcePort
    var claim: SessionClaim?
    var spoofedAspect: String?
    if isFromClient {
      switch finding(view, meta, now) {
      case .claim(let found): claim = found
      case .spoofed(let found, let aspect):
        claim = found
        spoofedAspect = aspect
      case .pending where !meta.hasWaited: return .pending
      case .pending, .nothing, nil: break
      }
    }
    let isResolvers = isFromClient && isResolversFlow(view, meta, now)
    let session = sessions.index(
      for: client, claim: claim, isSpoofed: spoofedAspect != nil, isResolvers: isResolvers, policy: policy, at: now)
    let owner = sessions.flowOwner(session, source: client)
    guard makeRoom(for: owner, now, &sink) else { return .noRoom(session: session) }
    let index = flows.insert(key, clientIsFirst: clientIsFirst, session: session, owner: owner, at: now)
    counters.flows &+= 1
    sessions.beginFlow(session, at: now)
    flows[index].isExternal = policy.isExternal(flows[index].server)
    flows[index].slot = meta.slot
    if isFromClient { flows[index].sender = senderTag(meta) }
    if let spoofedAspect {
      raiseSpoofed(index, spoofedAspect, by: session, Verdict(.accept, .undecided), now, &sink)
    }
    if let tcp = view.tcp {
      if !tcp.flags.contains(.syn) {
        flows[index].isMidstream = true
        flows.noteAnswered(index, owner: owner, isProof: false)
      }
      // A SYN-ACK from the other side tells the client's first sequence number just as well.
      flows[index].firstSequence = isFromClient ? tcp.sequence &+ 1 : tcp.acknowledgement
      deadlines.push(flow: index, id: flows[index].id, at: now)
    }
    return .flow(index)
  }

  /// Without a place in the table only the session and the address can be judged.
  private func untracked(_ view: borrowing PacketView, _ session: Int32, _ now: Timestamp) -> Verdict {
    if let match = denyMatch(session, address: view.destination) {
      return Verdict(effective(match.action), match.reason, scope: .packet)
    }
    return Verdict(effective(policy.parts.exceptions.flowTableFull), .flowTableFull, scope: .packet)
  }

  /// The agent is done, or someone cut the connection: the flow may be forgotten soon. A refused one may not: what
  /// is left of its hello would come as a flow whose start was not seen.
  mutating func noteEnd(_ index: Int32, _ tcp: TCPFields, fromClient: Bool) {
    guard effective(flows[index].action) == .accept else { return }
    if tcp.flags.contains(.rst) || (fromClient && tcp.flags.contains(.fin)) { flows[index].isClosing = true }
  }
}
