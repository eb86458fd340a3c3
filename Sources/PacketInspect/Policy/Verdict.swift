/// What happens to a packet.
public enum Action: UInt8, Sendable {
  /// It goes on.
  case accept
  /// It vanishes.
  case drop
  /// It is refused, so that the agent fails at once: TCP reset, ICMP administratively prohibited otherwise.
  case reject
}

/// How far a verdict reaches.
public enum VerdictScope: UInt8, Sendable {
  /// This packet alone: a denied DNS question must not kill its socket.
  case packet
  /// This packet and all that follow in its flow.
  case flow
}

/// An action, why, and how far it reaches.
public struct Verdict: Hashable, Sendable {
  /// The action.
  public var action: Action
  /// The stable reason code.
  public var reason: Reason
  /// Packet or flow.
  public var scope: VerdictScope

  /// A verdict; without `scope` it reaches as far as its reason does.
  public init(_ action: Action, _ reason: Reason, scope: VerdictScope? = nil) {
    self.action = action
    self.reason = reason
    self.scope = scope ?? reason.scope
  }
}

/// Why a verdict is what it is. The names are stable: they stand in events, metrics and documentation.
public enum Reason: String, Sendable, CaseIterable {
  /// Nothing spoke against it.
  case allowed = "allowed"
  /// Not external: internal networks, internal names, or a trusted resolver.
  case `internal` = "internal"
  /// A `denyExceptions` entry covers it.
  case exception = "deny-exception"
  /// A deny-list names the host.
  case deniedName = "denied-name"
  /// A deny-list covers the address.
  case deniedAddress = "denied-address"
  /// A reviewer blocked the session.
  case sessionBlocked = "session-blocked"
  /// A reviewer denied the destination.
  case deniedByReviewer = "denied-by-reviewer"
  /// A category whose action is `reject`.
  case categoryDenied = "category-denied"
  /// A category whose action is `hold`, and a destination the session had not contacted.
  case categoryHeld = "category-held"
  /// A new destination beyond a budget in `hold`.
  case budgetHeld = "budget-held"
  /// Conflicting overlapping segments or another trick to show the inspector other bytes than the server.
  case evasion = "evasion"
  /// 16 KiB of a hello or head without an end (`onFailure.helloIncomplete`).
  case helloIncomplete = "hello-incomplete"
  /// Not parseable as IP or its transport (`onFailure.malformed`).
  case malformed = "malformed"
  /// A flow older than the daemon (`onFailure.midstream`).
  case midstream = "midstream"
  /// No room in the flow table (`onFailure.flowTableFull`).
  case flowTableFull = "flow-table-full"
  /// Nobody can say yet whose the packet is.
  case pendingAttribution = "pending-attribution"
  /// The flow is not decided yet: its name is still to come.
  case undecided = "undecided"

  /// How far a verdict of this reason reaches. What a reviewer decided may be taken back at any time, so the kernel must
  /// not keep it for the flow.
  var scope: VerdictScope {
    switch self {
    case .sessionBlocked, .deniedByReviewer: .packet
    default: .flow
    }
  }
}
