/// What is done when the daemon cannot do its job on a packet: one action a condition, never one global switch.
public struct ExceptionPolicy: Hashable, Sendable {
  /// Not parseable as IP or its transport.
  public var malformed: Action = .accept
  /// 16 KiB of a hello or head without an end.
  public var helloIncomplete: Action = .reject
  /// A TCP flow whose start was not seen.
  public var midstream: Action = .accept
  /// No room in the flow table.
  public var flowTableFull: Action = .accept

  /// The defaults of the design's section 5.
  public init() {}
}
