extension IPAddress {
  /// Characters of the longest address: an IPv6 one that ends in a dotted quad.
  private static let longestText = 45

  /// The address that a name spells; nil for a name. Cheap for whatever is no IPv6 address: an agent chooses the name,
  /// and a text is made and cut in pieces for what may be one.
  public init?(_ name: HostName) {
    let bytes = name.span
    guard !bytes.isEmpty, bytes.count <= Self.longestText else { return nil }
    var quad = DottedQuad()
    var isQuad = true
    for index in bytes.indices {
      // A colon stands in no name.
      if bytes[index] == 0x3a {
        self.init(name.text)
        return
      }
      isQuad = isQuad && quad.take(bytes[index])
    }
    guard isQuad, let value = quad.value else { return nil }
    self.init(v4: value)
  }
}
