import PacketInspect
import Synchronization

/// The policy in force: the file's, and reviewers' decisions laid over it. Whatever changes, the queue's thread gets a
/// whole new policy of a later epoch, so that flows already decided are judged again.
final class PolicyKeeper: Sendable {
  private struct State: Sendable {
    var base: CompiledPolicy
    var book: OverlayBook
    var snapshot: PolicySnapshot
    /// The one before, for the queue's thread not to be the last who has it: freeing it takes time.
    var former: PolicySnapshot?
  }

  /// Where a change was kept.
  enum Keeping: String, Sendable {
    /// On disk.
    case store
    /// In memory only: there is no store (`store.path: none`).
    case memory
    /// In memory, and on disk as soon as the store can be written.
    case waiting
  }

  /// How long a change waits to be on disk before its answer says that it is not, in milliseconds: less than the
  /// clients' patience, more than a write takes.
  private static let storeMilliseconds = 1_500

  private let state: Mutex<State>
  private let seed: UInt64
  private let mailbox: PolicyMailbox
  private let outbox: OverlayOutbox?
  private let report: @Sendable (String, [(name: String, value: StatValue)]) -> Void

  /// With a compiled file and the overlays that were stored. `report` is told of every change.
  init(
    _ base: CompiledPolicy, _ book: OverlayBook, seed: UInt64, mailbox: PolicyMailbox, outbox: OverlayOutbox?,
    report: @escaping @Sendable (String, [(name: String, value: StatValue)]) -> Void
  ) {
    let snapshot = Self.merged(base, book, epoch: base.snapshot.epoch, seed: seed)
    state = Mutex(State(base: base, book: book, snapshot: snapshot))
    self.seed = seed
    self.mailbox = mailbox
    self.outbox = outbox
    self.report = report
  }

  /// The policy in force.
  var snapshot: PolicySnapshot { state.withLock { $0.snapshot } }

  /// All overlays, oldest first.
  var overlays: [Overlay] { state.withLock { $0.book.sorted } }

  /// The deny-lists in force: names, entries, and when their files were written.
  var listFigures: [(name: String, entries: Int, modified: Timestamp?)] {
    state.withLock { state in
      state.base.loaded.lists.map { ($0.source.name, $0.report.entries, $0.modified) }
    }
  }

  /// False where changes are kept in memory only.
  var hasStore: Bool { outbox != nil }

  /// True when so many changes wait for the disk that no more may be decided.
  var isBehind: Bool { outbox?.isFull == true }

  /// Agent types of the present configuration.
  func knowsAgentType(_ name: String) -> Bool {
    state.withLock { $0.base.loaded.configuration.agentTypes[name] != nil }
  }

  /// Puts another file's policy under the overlays.
  func replaceBase(_ base: CompiledPolicy) -> PolicySnapshot {
    state.withLock { state in
      state.base = base
      publish(&state)
      return state.snapshot
    }
  }

  /// Adds an overlay. Nil when there are too many, or too many changes that cannot be written.
  func add(_ draft: OverlayDraft, at now: Timestamp) -> (overlay: Overlay, kept: Keeping)? {
    guard !isBehind else { return nil }
    let changes = state.withLock { state -> [OverlayChange]? in
      guard let changes = state.book.add(draft, at: now) else { return nil }
      publish(&state)
      return changes
    }
    guard let changes, let overlay = changes.last?.overlay else { return nil }
    return (overlay, record(changes))
  }

  /// Removes the overlays that `choose` names. Nothing when there are none.
  func remove(
    _ author: OverlayAuthor, at now: Timestamp, _ choose: (OverlayBook) -> [UInt64]
  ) -> (overlays: [Overlay], kept: Keeping) {
    let changes = state.withLock { state in
      let changes = choose(state.book).compactMap { state.book.remove($0, author, at: now) }
      if !changes.isEmpty { publish(&state) }
      return changes
    }
    return (changes.map(\.overlay), record(changes))
  }

  /// Ends what is over by now. To be called at least each second.
  func look(at now: Timestamp) {
    let changes = state.withLock { state in
      state.former = nil
      let changes = state.book.removeExpired(at: now)
      if !changes.isEmpty { publish(&state) }
      return changes
    }
    guard !changes.isEmpty else { return }
    _ = record(changes, waits: false)
  }

  /// Takes up the overlays of a store that could not be read at the start.
  func takeUp(_ stored: [Overlay]) {
    state.withLock { state in
      state.book.takeUp(stored)
      publish(&state)
    }
  }

  /// Writes down that a reviewer released a session's shift of mix. It acts on the session alone, not on the policy.
  func recordRelease(of session: String, _ author: OverlayAuthor, at now: Timestamp) -> Keeping {
    record([.release(of: session, author, at: now)])
  }

  /// Writes down that a reviewer found a session benign, or withdrew that. What is learned changes at the next reload.
  func recordBenign(_ mix: BenignMix, _ author: OverlayAuthor, at now: Timestamp) -> Keeping {
    record([.benign(mix, author, at: now)])
  }

  /// Writes down a reviewer's step with a flagged session.
  func recordReview(_ review: ReviewRecord) -> Keeping { record([review.change]) }

  /// Steps of reviewers that are not on disk.
  var unwrittenReviews: [ReviewRecord] { outbox?.unwritten.compactMap(\.review) ?? [] }

  private func publish(_ state: inout State) {
    state.former = state.snapshot
    state.snapshot = Self.merged(state.base, state.book, epoch: state.snapshot.epoch + 1, seed: seed)
    mailbox.put(state.snapshot, of: state.base.loaded.configuration)
  }

  private static func merged(
    _ base: CompiledPolicy, _ book: OverlayBook, epoch: UInt32, seed: UInt64
  ) -> PolicySnapshot {
    var parts = base.snapshot.parts
    // What is over is taken out by `look`, which tells of it.
    parts.overlays = OverlaySet(book.overlays.values, at: Timestamp(nanoseconds: .min), seed: seed)
    return PolicySnapshot(parts, epoch: epoch)
  }

  private func record(_ changes: [OverlayChange], waits: Bool = true) -> Keeping {
    for change in changes {
      let (kind, figures) = change.event
      report(kind, figures)
    }
    guard let outbox else { return .memory }
    let ticket = outbox.add(changes)
    guard waits else { return .waiting }
    return outbox.wait(for: ticket, milliseconds: Self.storeMilliseconds) ? .store : .waiting
  }
}
