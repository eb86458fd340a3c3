/// Whether a packet on a known flow comes from who began it: whoever writes a neighbour's source address into a raw
/// packet can write its ports too, and evidence of the sender is asked once a flow.
extension Inspector {
  /// How long a flow must have been silent before another sender may go on with it where nothing is known of either:
  /// a router behind which agents are may fail over, and TCP repeats what was dropped meanwhile. In nanoseconds.
  static var handoverSilence: Int64 { 3 * 1_000_000_000 }

  /// What became of a packet whose sender is not the flow's.
  enum SenderJudgement {
    /// It is the flow's all the same.
    case same
    /// The flow is another's by now, and this packet begins one of its own.
    case another
    /// It is none of the flow's, and gets a verdict of its own.
    case foreign(Verdict)
  }

  /// Where a packet came from: a keyed hash of its ingress interface and link-layer address. Zero where nothing tells:
  /// for packets that this host sends, and in captures. Secret, so that no address can be looked for that has the
  /// neighbour's.
  @inline(__always)
  func senderTag(_ meta: PacketMeta) -> UInt32 {
    guard meta.inputInterface != 0 else { return 0 }
    var hash = (senderSeed ^ UInt64(meta.inputInterface)) &* 0x9fb2_1c65_1e98_df25
    hash = (hash ^ hash >> 29 ^ (meta.hardwareAddress?.value ?? 0)) &* 0xd6e8_feb8_6659_fd93
    return max(1, UInt32(truncatingIfNeeded: hash >> 32))
  }

  /// Judges a packet from the client's endpoint whose sender is not the one that the flow has.
  mutating func judgeSender<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ sender: UInt32, _ meta: PacketMeta, _ now: Timestamp,
    _ sink: inout Sink
  ) -> SenderJudgement {
    let isKnown = flows[index].sender != 0
    switch finding(view, meta, now) {
    case .claim(let claim):
      let session = sessions.index(for: view.source, claim: claim, policy: policy, at: now)
      if isKnown, session != flows[index].session { return .another }
    case .spoofed(let claim, let aspect):
      let session = sessions.index(for: view.source, claim: claim, isSpoofed: true, policy: policy, at: now)
      guard session == flows[index].session else { return .foreign(refuse(index, session, aspect, meta, now, &sink)) }
    case .pending where !meta.hasWaited:
      counters.pending &+= 1
      return .foreign(Verdict(effective(.drop), .pendingAttribution, scope: .packet))
    case .pending, .nothing, nil:
      guard isKnown, now.since(flows[index].lastSeen) < Self.handoverSilence else { break }
      let session = sessions.index(for: view.source, claim: nil, isSpoofed: true, policy: policy, at: now)
      return .foreign(refuse(index, session, "sender", meta, now, &sink))
    }
    flows[index].sender = sender
    return .same
  }

  /// The verdict on an answer from port 53 that comes from somebody who has no right to its source: an agent that
  /// answers a question itself would give names to addresses. Nil for all others.
  mutating func judgeAnswerer<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    guard case .spoofed(let claim, let aspect) = finding(view, meta, now) else { return nil }
    let session = sessions.index(for: view.source, claim: claim, isSpoofed: true, policy: policy, at: now)
    return refuse(index, session, aspect, meta, now, &sink, source: view.source)
  }

  /// What the host knows of a packet's sender.
  mutating func finding(_ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp) -> SessionFinding? {
    guard evidence != nil else { return nil }
    let endpoints = PacketEndpoints(
      source: view.source, sourcePort: view.sourcePort, destination: view.destination,
      destinationPort: view.destinationPort, proto: view.proto.rawValue)
    return evidence?.finding(for: endpoints, meta: meta, isLastAsk: meta.hasWaited, at: now)
  }

  /// Drops a packet that is not the flow's. Not rejected: the reset or the ICMP error would go to whoever has the
  /// address by right, and end its connection. `session` is the true sender's, or the address's own where nobody
  /// knows the sender.
  private mutating func refuse<Sink: EventSink>(
    _ index: Int32, _ session: Int32, _ aspect: String, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink,
    source: IPAddress? = nil
  ) -> Verdict {
    counters.foreign &+= 1
    sessions.markUnsaved(session)
    let verdict = Verdict(.drop, .evasion, scope: .packet)
    raiseSpoofed(index, aspect, by: session, source: source, verdict, now, &sink)
    return Verdict(effective(verdict.action), verdict.reason, scope: verdict.scope)
  }
}
