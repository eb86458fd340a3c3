import PacketInspect

/// What a reviewer asks for: an overlay without its number and times.
struct OverlayDraft: Sendable, Equatable {
  var kind: OverlayKind
  var subject = ""
  var budget: BudgetOverride?
  var scope: OverlayScope
  var author: OverlayAuthor
  /// Seconds after which it ends by itself; nil for never.
  var lasts: Int64?
}

/// Who changes an overlay, and why.
struct OverlayAuthor: Sendable, Equatable {
  /// As they say; nil for as the system says.
  var who: String?
  /// As the system says: the socket's other end.
  var peer = ""
  var why: String

  var name: String { who ?? peer }
}

/// One change, as it is written down for good.
struct OverlayChange: Sendable, Equatable {
  enum Action: String, Sendable {
    case added, removed, expired
    /// No overlay: a reviewer released a session's shift of mix. It has the number 0, which none has.
    case released
    /// No overlay either: a reviewer found a session benign.
    case benign
    /// Or took that back.
    case withdrawn = "benign-withdrawn"
    /// No overlay: a reviewer's step with a flagged session.
    case acknowledged, resolved
  }

  var action: Action
  var overlay: Overlay
  var at: Timestamp
  var author: OverlayAuthor
  /// The session that was found benign, or no longer is.
  var mix: BenignMix?
  /// The step with a flagged session.
  var review: ReviewRecord?

  /// A session that was found benign, or of which that is withdrawn, for the record.
  static func benign(_ mix: BenignMix, _ author: OverlayAuthor, at now: Timestamp) -> OverlayChange {
    let overlay = Overlay(id: 0, kind: .block, scope: .session(mix.session), made: now)
    return OverlayChange(
      action: mix.contacts.isEmpty ? .withdrawn : .benign, overlay: overlay, at: now, author: author, mix: mix)
  }

  /// The release of a session's shift, for the record.
  static func release(of session: String, _ author: OverlayAuthor, at now: Timestamp) -> OverlayChange {
    let overlay = Overlay(id: 0, kind: .block, scope: .session(session), made: now)
    return OverlayChange(action: .released, overlay: overlay, at: now, author: author)
  }

  /// What is changed, as it stands in the record.
  var kind: String {
    switch action {
    case .released, .benign, .withdrawn: "mix"
    case .acknowledged, .resolved: "review"
    case .added, .removed, .expired: overlay.kind.rawValue
    }
  }
}

/// The overlays in force. Pure: what is to be stored and told comes out as changes.
struct OverlayBook: Sendable {
  /// What two overlays of one kind cannot both be about.
  private struct Matter: Hashable, Sendable {
    var kind: OverlayKind
    var subject: String
    var scope: OverlayScope

    init(_ overlay: Overlay) { (kind, subject, scope) = (overlay.kind, overlay.subject, overlay.scope) }
  }

  private(set) var overlays: [UInt64: Overlay] = [:]
  private var byMatter: [Matter: UInt64] = [:]
  private var nextID: UInt64
  private var nextExpiry: Timestamp?

  /// With what was stored. `firstID` is above every number that the store has seen.
  init(_ stored: [Overlay] = [], firstID: UInt64 = 1) {
    nextID = firstID
    takeUp(stored)
  }

  /// All of them, oldest first.
  var sorted: [Overlay] { overlays.values.sorted { $0.id < $1.id } }

  /// Takes up what was stored. Of two on one matter the later one stays.
  mutating func takeUp(_ stored: [Overlay]) {
    for overlay in stored.sorted(by: { $0.id < $1.id }) {
      if let former = byMatter[Matter(overlay)] {
        guard former < overlay.id else { continue }
        overlays[former] = nil
      }
      enter(overlay)
      nextID = max(nextID, overlay.id + 1)
    }
  }

  /// Adds an overlay, in the place of one on the same matter. Nil when there are too many.
  mutating func add(_ draft: OverlayDraft, at now: Timestamp) -> [OverlayChange]? {
    let overlay = Overlay(
      id: nextID, kind: draft.kind, subject: draft.subject, budget: draft.budget, scope: draft.scope,
      who: draft.author.name, peer: draft.author.peer, why: draft.author.why, made: now,
      expires: draft.lasts.map { now.advanced(byNanoseconds: $0 * 1_000_000_000) })
    var changes: [OverlayChange] = []
    if let former = byMatter[Matter(overlay)] {
      let author = OverlayAuthor(
        who: draft.author.who, peer: draft.author.peer, why: "overlay \(nextID) takes its place: \(draft.author.why)")
      if let change = remove(former, author, at: now) { changes.append(change) }
    } else if overlays.count >= OverlaySet.maximumCount {
      return nil
    }
    nextID += 1
    enter(overlay)
    return changes + [OverlayChange(action: .added, overlay: overlay, at: now, author: draft.author)]
  }

  /// Removes an overlay; nil when there is none of this number.
  mutating func remove(_ id: UInt64, _ author: OverlayAuthor, at now: Timestamp) -> OverlayChange? {
    guard let overlay = leave(id) else { return nil }
    return OverlayChange(action: .removed, overlay: overlay, at: now, author: author)
  }

  /// The blocks of a session alone.
  func blocks(of session: String) -> [UInt64] {
    byMatter[Matter(Overlay(id: 0, kind: .block, scope: .session(session), made: Timestamp(nanoseconds: 0)))]
      .map { [$0] } ?? []
  }

  /// Removes what is over by now.
  mutating func removeExpired(at now: Timestamp) -> [OverlayChange] {
    guard let nextExpiry, nextExpiry <= now else { return [] }
    let over = sorted.filter { $0.isOver(at: now) }
    for overlay in over { _ = leave(overlay.id) }
    self.nextExpiry = overlays.values.lazy.compactMap(\.expires).min()
    return over.map {
      OverlayChange(
        action: .expired, overlay: $0, at: now, author: OverlayAuthor(who: "nfq-egressd", why: "its time was over"))
    }
  }

  private mutating func enter(_ overlay: Overlay) {
    overlays[overlay.id] = overlay
    byMatter[Matter(overlay)] = overlay.id
    if let expires = overlay.expires { nextExpiry = nextExpiry.map { min($0, expires) } ?? expires }
  }

  private mutating func leave(_ id: UInt64) -> Overlay? {
    guard let overlay = overlays.removeValue(forKey: id) else { return nil }
    byMatter[Matter(overlay)] = nil
    return overlay
  }
}
