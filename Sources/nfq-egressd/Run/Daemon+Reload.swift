import Logging
import PacketInspect

/// What becomes of the configuration and its lists while the daemon runs.
extension Daemon {
  /// Begins to read everything again.
  func begin(_ reload: PolicyReload, _ current: CompiledPolicy) {
    if !reload.order(current.snapshot.parts.categories.names) {
      log.error("not reloaded: no thread; the last good policy stays in force")
    }
  }

  /// Puts what was read in force. A bad file keeps the last good policy and says so.
  func finish(
    _ outcome: PolicyReload.Outcome, _ current: inout CompiledPolicy, _ policy: PolicyKeeper,
    _ ring: HandoverRing<Event>, _ learner: MixLearner?
  ) {
    switch outcome {
    case .policy(var fresh):
      warn(fresh.loaded)
      for key in needingRestart(current.loaded.configuration, fresh.loaded.configuration) {
        log.warning("\(file): \(key) has changed: it takes effect at the next start")
      }
      learner?.learn(&fresh)
      current = fresh
      let epoch = policy.replaceBase(fresh).epoch
      log.info("reloaded: \(fresh.loaded.summary)")
      ring.add(
        stats("reloaded", [("epoch", .count(UInt64(epoch))), ("summary", .text(fresh.loaded.summary))]))
    case .faults(let faults):
      log.error("not reloaded, the last good policy stays in force:\n\(faults.description)")
      ring.add(
        stats(
          "reload-failed",
          [("epoch", .count(UInt64(policy.snapshot.epoch))), ("faults", .count(UInt64(faults.faults.count)))]))
    }
  }

  /// Tells of lists that nobody keeps fresh any more.
  func look(at lists: [LoadedList], _ ages: inout ListAges, _ ring: HandoverRing<Event>) {
    for stale in ages.look(lists, at: WallClock.now()) {
      log.warning(
        "list \(quoted(stale.list)) was last written \(stale.age) s ago, its maxAge is \(stale.limit) s: update it")
      ring.add(
        stats(
          "list-stale",
          [
            ("list", .text(stale.list)), ("age_seconds", .count(UInt64(stale.age))),
            ("max_age_seconds", .count(UInt64(stale.limit))),
          ]))
    }
  }

  private func needingRestart(_ old: Configuration, _ new: Configuration) -> [String] {
    var keys: [String] = []
    if old.queues != new.queues { keys.append("queues") }
    if old.marks != new.marks { keys.append("marks") }
    if old.rules != new.rules { keys.append("rules") }
    if old.limits != new.limits { keys.append("limits") }
    if old.control != new.control { keys.append("control") }
    if old.store != new.store { keys.append("store") }
    if old.sessions.containers != new.sessions.containers { keys.append("sessions.containers") }
    if old.events != new.events { keys.append("events") }
    if old.metrics != new.metrics { keys.append("metrics") }
    if old.onFailure.queueFull != new.onFailure.queueFull { keys.append("onFailure.queueFull") }
    return keys
  }
}
