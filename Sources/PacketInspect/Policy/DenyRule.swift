/// What speaks against a contact, with its provenance: an entry of a deny-list, or an overlay.
public struct DenyMatch: Hashable, Sendable {
  /// The list's name; `overlay` for a reviewer's decision.
  public var list: String
  /// The line in the list's file; 0 for built-in entries.
  public var line: Int
  /// The entry as the list has it; of a reviewer's block, the session or type.
  public var entry: String
  /// When the list was last written.
  public var listModified: Timestamp?
  /// What the list says to do.
  public var action: Action
  /// Name or address, reviewer or block.
  public var reason: Reason
  /// The reviewer's decision, where it is one.
  public var overlay: OverlayMark?
}

/// The overlay behind a verdict, as events tell of it.
public struct OverlayMark: Hashable, Sendable {
  /// Its number.
  public var id: UInt64
  /// What was decided.
  public var kind: OverlayKind
  /// Who decided.
  public var who: String
  /// Why.
  public var why: String
}

/// Deny-lists, reviewers' decisions and their exceptions, over whatever names and addresses a packet shows.
/// The order is: block, exception, overlay deny, list deny (design, section 5); `overlays` are the session's.
public enum DenyRule {
  /// What is said of a claimed name.
  public static func match(name: HostName, policy: PolicySnapshot, overlays: SessionOverlays? = nil) -> DenyMatch? {
    if let block = block(overlays) { return block }
    guard name.count > 0 else { return nil }
    // An SNI or Host that is an address literal is judged as the address it spells.
    if name[0] == 0x5b || name[name.count - 1] <= 0x39 || name.containsColon, let literal = IPAddress(name.text) {
      return match(address: literal, policy: policy, overlays: overlays)
    }
    if let overlays, let denial = overlays.denial(of: name) {
      return isExcepted(name, policy: policy, overlays: overlays) ? nil : found(denial)
    }
    guard let (place, hit) = longest(policy, of: { $0.entries.match(name) }, by: { $0.length }),
      !isExcepted(name, policy: policy, overlays: overlays)
    else { return nil }
    return found(policy.parts.lists[place], line: hit.line, entry: name.suffix(hit.length).text, .deniedName)
  }

  /// What is said of an address.
  public static func match(
    address: IPAddress, policy: PolicySnapshot, overlays: SessionOverlays? = nil
  ) -> DenyMatch? {
    if let block = block(overlays) { return block }
    let canonical = address.canonical
    if let overlays, let denial = overlays.denial(of: canonical) {
      return isExcepted(canonical, policy: policy, overlays: overlays) ? nil : found(denial)
    }
    guard
      let (place, hit) = longest(
        policy, of: { $0.entries.match(canonical) }, by: { $0.network.prefixLength }),
      !isExcepted(canonical, policy: policy, overlays: overlays)
    else { return nil }
    let entry =
      hit.network.prefixLength == hit.network.address.bitWidth
      ? hit.network.address.description : hit.network.description
    return found(policy.parts.lists[place], line: hit.line, entry: entry, .deniedAddress)
  }

  /// The most specific entry of all lists, and the list's index; of two alike that of the list that is asked first.
  @inline(__always)
  private static func longest<Match>(
    _ policy: PolicySnapshot, of match: (DenyList) -> Match?, by length: (Match) -> Int
  ) -> (place: Int, match: Match)? {
    var best: (place: Int, match: Match)?
    // `parts` is never copied into a variable: that would count references to all it is made of, for every packet.
    for place in policy.parts.lists.indices {
      guard let hit = match(policy.parts.lists[place]) else { continue }
      if let best, length(best.match) >= length(hit) { continue }
      best = (place, hit)
    }
    return best
  }

  /// The block of a session, which nothing lifts.
  public static func block(_ overlays: SessionOverlays?) -> DenyMatch? {
    guard let overlay = overlays?.block else { return nil }
    let entry =
      switch overlay.scope {
      case .session(let id): id
      case .agentType(let name): name
      case .all: "all"
      }
    return found(overlay, entry: entry, .sessionBlocked)
  }

  /// True when an exception, the file's or a reviewer's, covers a name: nothing but a block may refuse it.
  public static func isExcepted(_ name: HostName, policy: PolicySnapshot, overlays: SessionOverlays?) -> Bool {
    policy.parts.exceptedDomains.match(name) != nil || overlays?.excepts(name) == true
  }

  /// True when an exception covers an address in canonical form.
  public static func isExcepted(_ address: IPAddress, policy: PolicySnapshot, overlays: SessionOverlays?) -> Bool {
    policy.parts.exceptedNetworks.contains(address) || overlays?.excepts(address) == true
  }

  private static func found(_ overlay: Overlay) -> DenyMatch {
    found(overlay, entry: overlay.subject, .deniedByReviewer)
  }

  private static func found(_ overlay: Overlay, entry: String, _ reason: Reason) -> DenyMatch {
    let mark = OverlayMark(id: overlay.id, kind: overlay.kind, who: overlay.who, why: overlay.why)
    return DenyMatch(
      list: "overlay", line: 0, entry: entry, listModified: nil, action: .reject, reason: reason, overlay: mark)
  }

  private static func found(_ list: DenyList, line: Int, entry: String, _ reason: Reason) -> DenyMatch {
    DenyMatch(
      list: list.name, line: line, entry: entry, listModified: list.modified, action: list.action, reason: reason)
  }
}

extension HostName {
  fileprivate var containsColon: Bool {
    for index in 0..<count where self[index] == 0x3a { return true }
    return false
  }
}
