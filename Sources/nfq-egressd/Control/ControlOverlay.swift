import PacketInspect

/// A budget on the wire, in the place of an agent type's.
struct ControlBudget: Codable, Sendable, Equatable {
  var destinations: Int?
  var uploadBytes: UInt64?
  var window: String?
  var onReach: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case destinations
    case uploadBytes = "upload_bytes"
    case window
    case onReach = "on_reach"
  }
}

/// An overlay on the wire. Times are seconds since 1970, to the millisecond.
struct ControlOverlay: Codable, Sendable, Equatable {
  var id: UInt64
  var kind: String
  /// Absent for a block and a budget.
  var subject: String?
  var budget: ControlBudget?
  var scope: String
  var who: String
  var peer: String
  var why: String
  var made: Double
  var expires: Double?
}

extension ControlOverlay {
  /// The wire form of an overlay.
  init(_ overlay: Overlay) {
    id = overlay.id
    kind = overlay.kind.rawValue
    subject = overlay.subject.isEmpty ? nil : overlay.subject
    budget = overlay.budget.map {
      ControlBudget(
        destinations: $0.destinations, uploadBytes: $0.uploadBytes, window: $0.window?.rawValue,
        onReach: $0.onReach?.rawValue)
    }
    scope = overlay.scope.text
    who = overlay.who
    peer = overlay.peer
    why = overlay.why
    made = overlay.made.unixSeconds
    expires = overlay.expires?.unixSeconds
  }
}

/// What is asked of the overlays.
enum OverlayCommand: Sendable, Equatable {
  case add(OverlayDraft)
  /// All, or those that concern a session.
  case list(session: String?)
  case remove(UInt64, OverlayAuthor)
  case unblock(String, OverlayAuthor)
  /// Not about an overlay, but like one no matter for the packet path: a session is not taken for benign any longer.
  case withdrawBenign(String, OverlayAuthor)
}
