/// What the inspector answers for one packet.
public struct Decision: Hashable, Sendable {
  /// What is done.
  public var verdict: Verdict
  /// True when the kernel may keep the rest of the flow to itself. Never set while nobody accounts for its bytes.
  public var mayPass: Bool

  /// True when nobody can say yet whose the packet is: it should wait and be asked about again. The verdict is what
  /// it gets where it cannot wait.
  public var isPending: Bool

  /// A decision.
  public init(_ verdict: Verdict, mayPass: Bool = false, isPending: Bool = false) {
    self.verdict = verdict
    self.mayPass = mayPass
    self.isPending = isPending
  }
}
