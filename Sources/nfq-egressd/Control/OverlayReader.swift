import PacketInspect

/// Reads what a request says of overlays and budgets, as strictly as the rest of it.
struct OverlayReader: Sendable {
  /// Bytes of a reason: some sentences, that stand in every event of the overlay.
  static let maximumWhy = 500
  /// Bytes of a name, of a person or a session.
  static let maximumName = 128
  /// Seconds after which an overlay may end by itself: ten years.
  static let maximumSeconds: Int64 = 3_660 * 86_400

  /// True for a name under which anybody may register names.
  var isRegistrySuffix: @Sendable (HostName) -> Bool = { _ in false }

  func draft(_ request: ControlRequest) throws(ControlError) -> OverlayDraft {
    let kinds = OverlayKind.allCases.map(\.rawValue).joined(separator: ", ")
    guard let word = request.kind, let kind = OverlayKind(rawValue: word) else {
      throw bad("'kind' must be one of \(kinds)")
    }
    guard let text = request.scope else { throw bad("'scope' is missing") }
    var draft = OverlayDraft(
      kind: kind, scope: try scope(text), author: try author(request), lasts: try lasts(request))
    switch kind {
    case .deny, .exception:
      guard let subject = request.subject else { throw bad("'subject' is missing: a host name, address or network") }
      draft.subject = try target(subject)
    case .block, .budget:
      guard request.subject == nil else { throw bad("a \(kind.rawValue) has no 'subject': 'scope' says whose it is") }
    }
    draft.budget = try request.budget.map { budget throws(ControlError) in try self.budget(budget) }
    guard (kind == .budget) == (draft.budget != nil) else {
      throw bad("'budget' belongs to the kind budget, and to it alone")
    }
    return draft
  }

  /// A block of one session.
  func block(_ id: String, _ request: ControlRequest) throws(ControlError) -> OverlayDraft {
    OverlayDraft(
      kind: .block, scope: try scope("session:\(id)"), author: try author(request), lasts: try lasts(request))
  }

  /// Who asks; the connection's other end is added later.
  func author(_ request: ControlRequest) throws(ControlError) -> OverlayAuthor {
    guard let why = request.why, isText(why, Self.maximumWhy) else {
      throw bad("'why' must be a text of 1 to \(Self.maximumWhy) bytes on one line")
    }
    if let who = request.who, !isText(who, Self.maximumName) {
      throw bad("'who' must be a text of 1 to \(Self.maximumName) bytes on one line")
    }
    return OverlayAuthor(who: request.who, why: why)
  }

  func budget(_ budget: ControlBudget) throws(ControlError) -> BudgetOverride {
    var result = BudgetOverride(destinations: budget.destinations, uploadBytes: budget.uploadBytes)
    guard !result.isEmpty else { throw bad("'budget' needs 'destinations' or 'upload_bytes'") }
    if let count = budget.destinations, !(1...ControlProtocol.maximumExtension).contains(count) {
      throw bad("'budget.destinations' must be a number from 1 to \(ControlProtocol.maximumExtension)")
    }
    if let bytes = budget.uploadBytes, bytes < 1 || bytes > UInt64(Int64.max) {
      throw bad("'budget.upload_bytes' must be at least 1")
    }
    if let word = budget.window {
      guard let window = BudgetWindow(rawValue: word) else { throw bad("'budget.window' must be session or 24h") }
      result.window = window
    }
    if let word = budget.onReach {
      guard let reach = BudgetReach(rawValue: word) else { throw bad("'budget.on_reach' must be flag or hold") }
      result.onReach = reach
    }
    return result
  }

  private func scope(_ text: String) throws(ControlError) -> OverlayScope {
    guard let scope = OverlayScope(text) else {
      throw bad("\(quoted(text)) is no scope; write session:ID, type:NAME or all")
    }
    switch scope {
    case .session(let id):
      // Any session's id, also one that the daemon made up of an address.
      let isPlain = id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
      guard !id.isEmpty, id.utf8.count <= Self.maximumName, isPlain else {
        throw bad("\(quoted(id)) is no session's id")
      }
    case .agentType(let name):
      guard SessionWord.isUsable(name) else { throw bad("\(quoted(name)) is no agent type's name") }
    case .all: break
    }
    return scope
  }

  private func target(_ text: String) throws(ControlError) -> String {
    do throws(TargetFault) {
      let target = try TargetText.target(text)
      switch target {
      case .name(let name): if isRegistrySuffix(name) { throw .registrySuffix }
      case .network(let network): if network.prefixLength < TargetText.shortestDeniedPrefix { throw .tooWide }
      }
      return target.description
    } catch {
      throw bad("\(quoted(text)): \(error.rawValue); write a host name, an address or a network")
    }
  }

  func lasts(_ request: ControlRequest) throws(ControlError) -> Int64? {
    guard let seconds = request.lasts else { return nil }
    guard (1...Self.maximumSeconds).contains(seconds) else {
      throw bad("'lasts' must be a number of seconds from 1 to \(Self.maximumSeconds)")
    }
    return seconds
  }

  private func isText(_ text: String, _ limit: Int) -> Bool {
    let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
    return isPlain && text.utf8.count <= limit && text.contains { $0 != " " }
  }

  func bad(_ message: String) -> ControlError { ControlError(.badRequest, message) }
}
