import Glibc
import Logging
import PacketInspect
import Synchronization

/// Has the rules made again when a control group of `--cgroup` was made anew: a rule means the control group that was
/// there when it was made, and what is sent from another one at the same path is not even queued.
///
/// A thread of its own looks twice a second and runs `iptables-setup.sh repair`; packets never wait for it. What
/// counts is not the script's word but whether the slots are current afterwards.
final class RulesKeeper: Sendable {
  /// Time between two looks, in tenths of a second: up to 63 calls of lstat each.
  private static let lookInterval = 5
  /// A repair follows another after this long at the earliest, in nanoseconds: control groups that come and go in a
  /// loop must not keep the rules changing.
  private static let shortestPause: Int64 = 2 * 1_000_000_000
  /// After a failed one the pause is this, and doubles with each that follows.
  private static let failurePause: Int64 = 10 * 1_000_000_000
  private static let longestPause: Int64 = 300 * 1_000_000_000

  private let rules: Configuration.Rules
  private let log: Logger
  private let tell: @Sendable (String, [(name: String, value: StatValue)]) -> Void
  private let stopping = EndFlag()
  private let thread = Mutex<PlainThread?>(nil)

  /// `tell` gets events: their kind and figures.
  init(
    _ rules: Configuration.Rules, log: Logger,
    tell: @escaping @Sendable (String, [(name: String, value: StatValue)]) -> Void
  ) {
    self.rules = rules
    self.log = log
    self.tell = tell
  }

  /// Begins to look. False when the system gives no thread; true where there are no control groups to look after.
  func begin() -> Bool {
    guard let mount = CgroupMount.find() else { return true }
    let started = PlainThread { [self] in
      if let tree = CgroupTree(mount) { watch(tree) }
    }
    guard let started else { return false }
    thread.withLock { $0 = started }
    return true
  }

  /// Ends looking; a repair under way is ended in order.
  func stop() {
    stopping.set()
    thread.withLock {
      $0?.join()
      $0 = nil
    }
  }

  /// A slot that is stale, and since when that can be.
  private struct Fault {
    var stale: CgroupSlots.Stale
    var since: Timestamp
  }

  private func watch(_ tree: consuming CgroupTree) {
    var file = CgroupSlotFile(runDirectory: rules.directory)
    var slots = CgroupSlots()
    var lastLook = WallClock.now()
    var known: [UInt8: Fault] = [:]
    var notBefore = Timestamp(nanoseconds: 0)
    var failures: Int64 = 0
    repeat {
      let now = WallClock.now()
      if let fresh = file.changed() { slots = fresh }
      note(slots.stale(in: tree).filter(\.isMadeAnew), lastLook, &known)
      lastLook = now
      guard !known.isEmpty, rules.repair != .off, now >= notBefore || now.since(notBefore) < -Self.longestPause else {
        continue
      }
      let trouble = repair(file.path)
      if let fresh = file.changed() { slots = fresh }
      let left = Set(slots.stale(in: tree).filter(\.isMadeAnew).map(\.slot))
      let end = WallClock.now()
      let mended = known.filter { !left.contains($0.key) }
      for slot in mended.keys { known[slot] = nil }
      for fault in mended.values { report(fault, began: now, end: end) }
      if known.isEmpty {
        failures = 0
        notBefore = end.advanced(byNanoseconds: Self.shortestPause)
      } else if !stopping.isSet {
        let pause = min(Self.failurePause << min(failures, 8), Self.longestPause)
        failures += 1
        notBefore = end.advanced(byNanoseconds: pause)
        report(trouble ?? "the script did not mend them", known.count, pause)
      }
    } while !stopping.wait(tenths: Self.lookInterval)
  }

  /// Tells of what has become stale, and forgets what is no more: it was mended by hand, or is gone altogether.
  private func note(_ stale: [CgroupSlots.Stale], _ lastLook: Timestamp, _ known: inout [UInt8: Fault]) {
    let before = known
    known = [:]
    for slot in stale {
      if let fault = before[slot.slot] {
        known[slot.slot] = fault
        continue
      }
      known[slot.slot] = Fault(stale: slot, since: lastLook)
      let mend = rules.repair == .off ? "run iptables-setup.sh repair" : "the rules are made again"
      log.warning("\(slot.path) was made anew, and what is sent from it is not inspected: \(mend)")
      tell("rule-stale", [("path", .text(slot.path)), ("slot", .count(UInt64(slot.slot)))])
    }
  }

  private func report(_ fault: Fault, began: Timestamp, end: Timestamp) {
    let (unseen, took) = (milliseconds(fault.since, end), milliseconds(began, end))
    log.info("\(fault.stale.path) has its rule again; what it sent for \(unseen) ms at most went unseen")
    tell(
      "rule-repaired",
      [
        ("path", .text(fault.stale.path)), ("slot", .count(UInt64(fault.stale.slot))),
        ("unseen_ms", .count(unseen)), ("took_ms", .count(took)),
      ])
  }

  private func report(_ error: String, _ count: Int, _ pause: Int64) {
    let seconds = UInt64(pause / 1_000_000_000)
    log.error("the rules of \(count) control groups could not be made again: \(error); tried again in \(seconds) s")
    tell(
      "rule-repair-failed",
      [("error", .text(error)), ("slots", .count(UInt64(count))), ("again_seconds", .count(seconds))])
  }

  private func milliseconds(_ from: Timestamp, _ to: Timestamp) -> UInt64 {
    UInt64(max(0, to.since(from) / 1_000_000))
  }

  /// Runs the script; returns what went wrong.
  private func repair(_ stateFile: String) -> String? {
    let script: RepairScript
    do throws(FileError) {
      script = try RulesRecord.script(rules, stateFile: stateFile)
    } catch {
      return error.description
    }
    let outcome = BoundedChild.run(
      [script.path, "repair"], environment: RulesRecord.environment(rules), stopping: stopping)
    for line in outcome.lines { log.info("\(script.path): \(line)") }
    return outcome.trouble.map { "\(script.path): \($0)" }
  }
}

/// What install left in the state file about itself.
enum RulesRecord {
  /// The script that may be run under a configuration.
  static func script(_ rules: Configuration.Rules, stateFile: String) throws(FileError) -> RepairScript {
    let path: String
    switch rules.repair {
    case .off: throw FileError(description: "rules.repair is none")
    case .script(let named): path = named
    case .recorded:
      guard let bytes = try? FileBytes.readAll(stateFile, limit: 1 << 20) else {
        throw FileError(description: "\(stateFile) cannot be read; run iptables-setup.sh install again")
      }
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      guard let line = lines.first(where: { $0.hasPrefix("script ") }) else {
        throw FileError(
          description: "\(stateFile) does not tell the script; set rules.repair, or run iptables-setup.sh install again"
        )
      }
      path = String(line.dropFirst("script ".count))
    }
    do throws(FileError) {
      return try RepairScript(checking: path)
    } catch {
      throw FileError(description: "\(path) \(error.description)")
    }
  }

  /// What the script is to know, and nothing else of this process's environment.
  static func environment(_ rules: Configuration.Rules) -> [String] {
    [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
      "NFQ_EGRESSD_RUN_DIR=\(rules.directory)",
    ]
  }

  /// Why control groups that are made anew could not get their rules again on this host; nil when they could, or when
  /// the rules installed here have no control groups.
  static func obstacle(_ rules: Configuration.Rules) -> String? {
    guard rules.repair != .off else { return nil }
    var file = CgroupSlotFile(runDirectory: rules.directory)
    guard let slots = file.changed(), !slots.slots.isEmpty else { return nil }
    do throws(FileError) {
      _ = try script(rules, stateFile: file.path)
      return nil
    } catch {
      return error.description
    }
  }
}
