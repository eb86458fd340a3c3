extension IPAddress {
  /// Characters of the longest address: an IPv6 one that ends in a dotted quad.
  private static let longestText = 45

  /// The address that a name spells; nil for a name. Cheap for whatever cannot be one: an agent chooses the name, and a
  /// text is made and cut in pieces for what may.
  public init?(_ name: HostName) {
    let bytes = name.span
    guard !bytes.isEmpty, bytes.count <= Self.longestText else { return nil }
    let last = bytes[bytes.count - 1]
    var mayBeOne = last >= 0x30 && last <= 0x39
    for index in bytes.indices where bytes[index] == 0x3a { mayBeOne = true }
    guard mayBeOne else { return nil }
    self.init(name.text)
  }
}
