/// What the inspector answers for one packet.
public struct Decision: Hashable, Sendable {
  /// What is done.
  public var verdict: Verdict
  /// True when the kernel may keep the rest of the flow to itself. Never set while nobody accounts for its bytes.
  public var mayPass: Bool

  /// A decision.
  public init(_ verdict: Verdict, mayPass: Bool = false) {
    self.verdict = verdict
    self.mayPass = mayPass
  }
}
