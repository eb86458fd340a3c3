import CNetfilterQueue

/// What a queue's socket has counted since it was opened.
struct QueueCounters: Hashable, Sendable {
  /// Packets received.
  var received: UInt64 = 0
  /// Verdicts sent.
  var verdicts: UInt64 = 0
  /// System calls that received.
  var receiveCalls: UInt64 = 0
  /// System calls that sent.
  var sendCalls: UInt64 = 0
  /// Times the receive buffer overran (ENOBUFS); `missing` says how many packets that cost.
  var overruns: UInt64 = 0
  /// Packets that the kernel numbered but never delivered: dropped, or with fail-open passed unseen.
  var missing: UInt64 = 0
  /// Packets of which only a part was received.
  var cut: UInt64 = 0
  /// Sends that failed.
  var sendErrors: UInt64 = 0
  /// Verdicts that the kernel refused.
  var verdictErrors: UInt64 = 0
  /// The errno of the last refusal.
  var lastVerdictError: Int32 = 0
  /// Messages that were no readable queue message.
  var malformed: UInt64 = 0
  /// Packets that were to be held and found no room: dropped.
  var holdOverflows: UInt64 = 0
  /// Packets that came while the queue was being unbound, lost.
  var abandoned: UInt64 = 0
  /// Packets held now.
  var held = 0

  /// Nothing counted yet.
  init() {}

  init(_ raw: cnfq_counters, held: Int) {
    received = raw.received
    verdicts = raw.verdicts
    receiveCalls = raw.receive_calls
    sendCalls = raw.send_calls
    overruns = raw.overruns
    missing = raw.missing_ids
    cut = raw.cut
    sendErrors = raw.send_errors
    verdictErrors = raw.verdict_errors
    lastVerdictError = raw.last_verdict_error
    malformed = raw.malformed
    holdOverflows = raw.hold_overflows
    abandoned = raw.abandoned
    self.held = held
  }
}
