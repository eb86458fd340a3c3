/// A deny-list match, with its provenance.
public struct DenyMatch: Hashable, Sendable {
  /// The list's name.
  public var list: String
  /// The line in the list's file; 0 for built-in entries.
  public var line: Int
  /// The entry as the list has it.
  public var entry: String
  /// When the list was last written.
  public var listModified: Timestamp?
  /// What the list says to do.
  public var action: Action
  /// Name or address.
  public var reason: Reason
}

/// Deny-lists and their exceptions, over whatever names and addresses a packet shows.
/// An exception for a name or its address comes before every list (design, section 5).
public enum DenyRule {
  /// What the lists say of a claimed name.
  public static func match(name: HostName, policy: PolicySnapshot) -> DenyMatch? {
    guard name.count > 0 else { return nil }
    // An SNI or Host that is an address literal is judged as the address it spells.
    if name[0] == 0x5b || name[name.count - 1] <= 0x39 || name.containsColon, let literal = IPAddress(name.text) {
      return match(address: literal, policy: policy)
    }
    // `parts` is never copied into a variable: that would count references to all it is made of, for every packet.
    guard let position = policy.parts.deniedDomains.match(name), policy.parts.exceptedDomains.match(name) == nil else {
      return nil
    }
    let entry = policy.parts.deniedDomains.entryText(matching: name) ?? name.text
    return found(position, entry: entry, .deniedName, policy)
  }

  /// What the lists say of an address.
  public static func match(address: IPAddress, policy: PolicySnapshot) -> DenyMatch? {
    let canonical = address.canonical
    guard let hit = policy.parts.deniedNetworks.match(canonical),
      !policy.parts.exceptedNetworks.contains(canonical)
    else { return nil }
    let entry =
      hit.network.prefixLength == hit.network.address.bitWidth
      ? hit.network.address.description : hit.network.description
    return found(hit.value, entry: entry, .deniedAddress, policy)
  }

  private static func found(
    _ position: ListPosition, entry: String, _ reason: Reason, _ policy: PolicySnapshot
  ) -> DenyMatch? {
    guard policy.parts.lists.indices.contains(position.list) else { return nil }
    let list = policy.parts.lists[position.list]
    return DenyMatch(
      list: list.name, line: position.line, entry: entry, listModified: list.modified, action: list.action,
      reason: reason)
  }
}

extension HostName {
  fileprivate var containsColon: Bool {
    for index in 0..<count where self[index] == 0x3a { return true }
    return false
  }
}
