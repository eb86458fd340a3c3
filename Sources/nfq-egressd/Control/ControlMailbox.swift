import Dispatch
import Synchronization

/// A command on its way to the queue's thread and back.
final class ControlTicket: Sendable {
  private enum Stage: UInt8 {
    case waiting, taken, abandoned
  }

  let command: ControlCommand
  private let stage = Atomic(Stage.waiting.rawValue)
  private let outcome = Mutex<ControlOutcome?>(nil)
  private let answered = DispatchSemaphore(value: 0)

  init(_ command: ControlCommand) { self.command = command }

  /// True for the one who may carry it out: the asker has not given up.
  func take() -> Bool { move(to: .taken) }

  /// Hands the outcome over. Never waits: the asker reads it only after the signal.
  func answer(_ result: ControlOutcome) {
    outcome.withLock { $0 = result }
    answered.signal()
  }

  /// Waits for the outcome. Nil means that the command was not carried out and never will be.
  fileprivate func wait(milliseconds: Int) -> ControlOutcome? {
    if answered.wait(timeout: .now() + .milliseconds(milliseconds)) == .timedOut {
      if move(to: .abandoned) { return nil }
      // Taken: it is being carried out at this moment.
      answered.wait()
    }
    return outcome.withLock { $0 }
  }

  private func move(to next: Stage) -> Bool {
    stage.compareExchange(expected: Stage.waiting.rawValue, desired: next.rawValue, ordering: .acquiringAndReleasing)
      .exchanged
  }
}

/// Commands for the queue's thread, which looks between packets and never waits.
final class ControlMailbox: Sendable {
  /// Commands carried out at one look, so that a burst of them does not hold up packets.
  static let commandsPerLook = 8

  private let isFilled = Atomic(false)
  private let waiting = Mutex<[ControlTicket]>([])

  /// Has a command carried out; `wake` makes the queue's thread look. Nil when it did not within the time: then it
  /// never will.
  func perform(_ command: ControlCommand, milliseconds: Int, wake: () -> Void) -> ControlOutcome? {
    let ticket = ControlTicket(command)
    waiting.withLock {
      $0.append(ticket)
      isFilled.store(true, ordering: .releasing)
    }
    wake()
    let outcome = ticket.wait(milliseconds: milliseconds)
    if outcome == nil { waiting.withLock { $0.removeAll { $0 === ticket } } }
    return outcome
  }

  /// The commands that wait, oldest first, at most `commandsPerLook`. One relaxed read when there is none.
  func take() -> [ControlTicket] {
    guard isFilled.load(ordering: .relaxed) else { return [] }
    let taken = waiting.withLockIfAvailable { waiting in
      let taken = Array(waiting.prefix(Self.commandsPerLook))
      waiting.removeFirst(taken.count)
      isFilled.store(!waiting.isEmpty, ordering: .relaxed)
      return taken
    }
    return (taken ?? []).filter { $0.take() }
  }
}
