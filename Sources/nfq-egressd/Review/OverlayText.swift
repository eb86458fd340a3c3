import PacketInspect

extension OverlayScope {
  /// As it stands on the wire and in the store: `session:ID`, `type:NAME`, `all`.
  var text: String {
    switch self {
    case .session(let id): "session:\(id)"
    case .agentType(let name): "type:\(name)"
    case .all: "all"
    }
  }

  /// From that form; nil for anything else.
  init?(_ text: String) {
    if text == "all" {
      self = .all
    } else if text.hasPrefix("session:") {
      self = .session(String(text.dropFirst(8)))
    } else if text.hasPrefix("type:") {
      self = .agentType(String(text.dropFirst(5)))
    } else {
      return nil
    }
  }
}

extension BudgetOverride {
  /// For people: `5 destinations, 1GB of upload, 24h, then hold`.
  var text: String {
    var parts: [String] = []
    if let destinations { parts.append("\(destinations) destinations") }
    if let uploadBytes { parts.append("\(ByteCount(bytes: Int64(clamping: uploadBytes))) of upload") }
    if let window { parts.append(window == .day ? "in 24h" : "in the session") }
    if let onReach { parts.append("then \(onReach.rawValue)") }
    return parts.joined(separator: ", ")
  }
}

extension Overlay {
  /// What it is about, for people and the record.
  var matter: String { budget?.text ?? subject }

  /// Its figures in an event.
  var figures: [(name: String, value: StatValue)] {
    var result: [(name: String, value: StatValue)] = [
      ("overlay", .count(id)), ("overlay_kind", .text(kind.rawValue)), ("scope", .text(scope.text)),
    ]
    if !matter.isEmpty { result.append(("subject", .text(matter))) }
    return result
  }
}

extension OverlayChange {
  /// The event that tells of it.
  var event: (kind: String, figures: [(name: String, value: StatValue)]) {
    let signature: [(name: String, value: StatValue)] = [
      ("who", .text(author.name)), ("why", .text(author.why)),
    ]
    let scope: [(name: String, value: StatValue)] = [("scope", .text(overlay.scope.text))]
    switch action {
    case .released: return ("mix-released", scope + signature)
    case .benign, .withdrawn:
      return ("session-reviewed", scope + [("disposition", .text(action.rawValue))] + signature)
    case .acknowledged, .resolved:
      return ("review-\(action.rawValue)", scope + (review?.figures ?? []) + signature)
    case .added, .removed, .expired:
      var figures = overlay.figures + signature
      if action == .added, let expires = overlay.expires { figures.append(("expires", .text(expires.eveText))) }
      return ("overlay-\(action.rawValue)", figures)
    }
  }
}
