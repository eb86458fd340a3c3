/// Room in a full flow table. Whoever has most makes it, so that no agent can make another's flows be forgotten, and
/// what is forgotten earns nothing by it.
extension Inspector {
  /// Makes room for one more of `owner`'s flows. False when it has most of a full table itself, and the policy would
  /// rather refuse the new one.
  mutating func makeRoom<Sink: EventSink>(for owner: FlowOwner, _ now: Timestamp, _ sink: inout Sink) -> Bool {
    guard flows.isFull else { return true }
    let (flow, isOwn) = flows.victim(for: owner)
    if isOwn, effective(policy.parts.exceptions.flowTableFull) != .accept { return false }
    counters.evicted &+= 1
    if mustBeRemembered(flow) { noteLoss(flow) }
    let owedRevocation = owesRevocation
    end(flow, now, &sink)
    if owesRevocation != owedRevocation {
      // All passed flows are taken back at a time: not for each that makes room.
      owesRevocation = false
      owesRevocationSoon = true
    }
    return true
  }

  /// True for a flow whose next packets, met as those of a flow whose start was not seen, might pass for what they are
  /// not: the second half of a hello, or what is left of one that was refused.
  private func mustBeRemembered(_ index: Int32) -> Bool {
    let flow = flows[index]
    if flow.stream >= 0 { return streams[flow.stream].mustBeRemembered }
    if flow.quic >= 0, quic[flow.quic].mustBeRemembered { return true }
    return (flow.key.proto == IPProtocol.tcp.rawValue || flow.quic >= 0) && effective(flow.action) != .accept
  }

  /// Such a flow is about to be forgotten. To remember which they were would take the room again: from here on the
  /// session's packets that begin in the middle of something are refused. Its other connections go on, as long as they
  /// are known themselves.
  mutating func noteLoss(_ index: Int32) {
    counters.lost &+= 1
    sessions[flows[index].session].hasLosses = true
  }

  /// Notes what a packet shows about its flow: that it is more than an attempt, and that its source is where it says to
  /// be. The rules drop acknowledgements of what was never sent, unless the connection's start was not seen; an answer
  /// that comes from where the question came from is the agent's own.
  mutating func noteAnswered(_ index: Int32, _ view: borrowing PacketView, sender: UInt32, fromClient: Bool) {
    var isProof =
      !fromClient && flows[index].clientPackets > 0 && (sender == 0 || sender != flows[index].sender)
    if fromClient {
      if let tcp = view.tcp {
        guard tcp.flags.contains(.ack), tcp.flags.isDisjoint(with: [.syn, .rst]) else { return }
        isProof = !flows[index].isMidstream
      } else {
        guard flows[index].clientPackets > 0 else { return }
      }
    }
    guard isProof || !flows[index].isAnswered else { return }
    let owner = sessions.flowOwner(flows[index].session, source: flows[index].client)
    flows.noteAnswered(index, owner: owner, isProof: isProof)
  }
}
