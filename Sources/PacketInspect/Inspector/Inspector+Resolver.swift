/// Resolvers in the middle: what an agent asks a resolver on this host leaves it as that resolver's question (design,
/// section 6, "Session").
extension Inspector {
  /// The session for which a resolver on this host asks the questions in `message`; nil when they are the sender's own.
  ///
  /// Only a sender that nothing attributes can be such a resolver. All names must be one session's: with one that
  /// somebody asked for, a sender could smuggle others into that session.
  func asker(_ index: Int32, _ meta: PacketMeta, _ now: Timestamp) -> Int32? {
    let own = flows[index].session
    guard meta.hook == .output, mayBeResolver(sessions[own]) else { return nil }
    var found: Int32?
    for question in message.questions where question.name.count > 0 {
      guard let (session, asked) = recentQuestions.asker(of: question.name, at: now), session != own,
        found == nil || found == session,
        // The slot of a session that has ended may be another's by now.
        sessions[session].ended == nil, sessions[session].started <= asked
      else { return nil }
      found = session
    }
    return found
  }

  /// True for a session that rests on no evidence of an agent. A `--cgroup` without a session is as good as none: it
  /// is how an operator has a resolver's questions queued.
  func mayBeResolver(_ session: AgentSession) -> Bool {
    switch session.attribution {
    case .unattributed, .resolver: true
    case .cgroupSlot: session.agentType == AgentType.unattributedName
    default: false
    }
  }

  /// Notes the questions in `message` that reach a resolver on this host: what comes in for the host, or does not leave
  /// it. Those that one local resolver hands on to another stay the first asker's.
  mutating func noteRecentQuestions(_ index: Int32, _ session: Int32, _ meta: PacketMeta, _ now: Timestamp) {
    let flow = flows[index]
    guard meta.hook == .input || (meta.hook == .output && Self.staysOnHost(flow.client, flow.server)) else { return }
    for question in message.questions where question.name.count > 0 {
      recentQuestions.note(question.name, session: session, at: now)
    }
  }

  /// True for the first packet of a resolver's own flow, as far as anybody can tell: DNS that leaves a host which has
  /// been asked as a resolver.
  func isResolversFlow(_ view: borrowing PacketView, _ meta: PacketMeta, _ now: Timestamp) -> Bool {
    meta.hook == .output && view.destinationPort == 53 && recentQuestions.knowsResolver(at: now)
      && !Self.staysOnHost(view.source, view.destination)
  }

  /// True between addresses of this host: loopback (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3), or one that
  /// speaks to itself.
  private static func staysOnHost(_ source: IPAddress, _ destination: IPAddress) -> Bool {
    if source == destination { return true }
    return destination.isIPv4 ? destination.v4 >> 24 == 127 : destination.high == 0 && destination.low == 1
  }
}
