/// What reviewers decide acts on flows that go on, and can be taken back: their packets keep coming to the inspector.
extension Inspector {
  /// Judges a packet of a flow whose decision is not of this policy's epoch, or that has none. Nil when the flow goes
  /// on as it did.
  mutating func judgeAnew<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, fromClient: Bool, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict? {
    let session = flows[index].session
    sessions.refresh(session, policy)
    guard fromClient else {
      // An answer to what was asked before the block. It is dropped: only what agents send can be rejected.
      guard DenyRule.block(sessions[session].overlays) != nil else { return nil }
      return Verdict(effective(.drop), .sessionBlocked, scope: .packet)
    }
    if flows[index].epoch != 0 { return judgeAgain(index, meta, now, &sink) }
    // Where nothing is blocked, what would be is told when the flow says something.
    guard policy.parts.mode == .enforce, let match = DenyRule.block(sessions[session].overlays) else { return nil }
    let outcome = ContactOutcome(verdict: Verdict(match.action, match.reason), match: match)
    return refuse(index, outcome, meta, now, &sink)
  }

  /// A decided flow's verdict on its next packet.
  @inline(__always)
  func settled(_ index: Int32, fromClient: Bool) -> Verdict {
    let (action, reason) = (flows[index].action, flows[index].reason)
    guard action != .accept else { return Verdict(.accept, reason) }
    guard fromClient else { return Verdict(effective(.drop), reason, scope: .packet) }
    return Verdict(effective(action), reason)
  }
}
