/// Whose a packet is, as far as the shell knows more than the packet shows: a control group, a container.
public struct SessionClaim: Sendable, Hashable {
  /// The session's id.
  public var id: String
  /// Its agent type's name; one that is not configured counts as unattributed.
  public var agentType: String
  /// What the claim rests on.
  public var attribution: Attribution

  /// A claim.
  public init(id: String, agentType: String, attribution: Attribution) {
    self.id = id
    self.agentType = agentType
    self.attribution = attribution
  }
}
