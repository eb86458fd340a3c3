extension Diagnosis {
  /// The name of a daemon's process.
  static let processName = "nfq-egressd"

  /// Whether a daemon serves the queues.
  static func queues(_ facts: DoctorFacts, _ configuration: Configuration) -> [Finding] {
    switch facts.queues {
    case .absent: return []
    case .hidden:
      return [.queue, .queueTraffic, .queueWaiting, .queueDrops].map { .cannotTell($0, without: "root") }
    case .shown(let samples):
      let first = Int(configuration.queues.first)
      return (first..<first + configuration.queues.count).flatMap { number in
        guard let sample = samples.first(where: { Int($0.before.queue) == number }) else {
          return [unbound(number, facts.status)]
        }
        return [binding(sample)] + service(sample, configuration, facts)
      }
    }
  }

  private static func unbound(_ number: Int, _ status: RulesStatus?) -> Finding {
    let meanwhile =
      switch status?.onFailure {
      case "open": ": what agents send passes uninspected"
      case "closed": ": what agents send is dropped"
      default: ""
      }
    return .fail(
      .queue, "nobody has bound queue \(number)\(meanwhile)",
      mend: "start the daemon (nfq-egressd run) in this network namespace")
  }

  private static func binding(_ sample: DoctorFacts.QueueSample) -> Finding {
    let number = sample.before.queue
    guard let owner = sample.owner else {
      return .warn(
        .queue, "queue \(number) is bound by netlink port \(sample.before.portID), of a process that cannot be seen",
        mend: "run the doctor with sudo, outside of containers")
    }
    guard owner.name == processName else {
      return .fail(
        .queue, "queue \(number) is bound by \(owner), which is no \(processName)",
        mend: "stop it, or choose another queue in queues.first and --queues")
    }
    guard sample.before.copyMode == .packet else {
      return .fail(
        .queue, "\(owner) has bound queue \(number) but does not ask for packets: all are dropped",
        mend: "see the daemon's log; start it again")
    }
    return .ok(.queue, "queue \(number) is bound by \(owner)")
  }

  private static func service(
    _ sample: DoctorFacts.QueueSample, _ configuration: Configuration, _ facts: DoctorFacts
  ) -> [Finding] {
    let (number, before) = (sample.before.queue, sample.before)
    guard let after = sample.after, after.portID == before.portID else {
      return [
        .fail(
          .queueTraffic, "the daemon let go of queue \(number) while the doctor looked", mend: "see the daemon's log")
      ]
    }
    // Ids are 32 bits and wrap.
    let came = UInt64(after.lastID &- before.lastID)
    return [
      traffic(number, came, after, facts),
      waiting(before, after, came: came, length: UInt64(configuration.queues.length), facts.sampled),
      drops(before, after),
    ]
  }

  private static func traffic(
    _ number: UInt16, _ came: UInt64, _ now: QueueStatistics, _ facts: DoctorFacts
  ) -> Finding {
    if came > 0 { return .ok(.queueTraffic, "\(came) packets came in \(facts.sampled) ms") }
    if now.lastID > 0 { return .ok(.queueTraffic, "\(now.lastID) packets came since queue \(number) was bound") }
    if let queued = facts.status?.queued, queued > 0 {
      return .ok(.queueTraffic, "none since queue \(number) was bound; the rules have sent \(queued) before")
    }
    return .warn(
      .queueTraffic, "no packet has come since queue \(number) was bound",
      mend: "send something as an agent; if none comes, compare the rules' options with how agents are attached")
  }

  private static func waiting(
    _ before: QueueStatistics, _ after: QueueStatistics, came: UInt64, length: UInt64, _ milliseconds: Int
  ) -> Finding {
    // What waited and came, less what waits still: that many were answered.
    let isStuck = before.waiting > 0 && before.waiting &+ came <= after.waiting
    if isStuck {
      return .fail(
        .queueWaiting,
        "\(after.waiting) packets wait, and none was answered in \(milliseconds) ms: the daemon is stuck",
        mend: "see its log; start it again")
    }
    // Three quarters: the next burst is dropped.
    if after.waiting >= max(1, length / 4 * 3) {
      return .warn(
        .queueWaiting, "\(after.waiting) of at most \(length) packets wait: the daemon does not keep up",
        mend: "see the load of the host; queues.length bounds how many may wait")
    }
    return .ok(
      .queueWaiting, after.waiting == 0 ? "no packet waits" : "\(after.waiting) packets wait, and are answered")
  }

  private static func drops(_ before: QueueStatistics, _ after: QueueStatistics) -> Finding {
    let (full, buffer) = (after.queueDropped, after.userDropped)
    guard full > 0 || buffer > 0 else { return .ok(.queueDrops, "the kernel dropped none") }
    let isNow = full > before.queueDropped || buffer > before.userDropped
    return .warn(
      .queueDrops,
      "the kernel dropped \(full) packets at a full queue and \(buffer) at a full buffer since the queue was bound"
        + (isNow ? ", and does so now" : ""),
      mend: "raise queues.length; see the load of the host")
  }
}
