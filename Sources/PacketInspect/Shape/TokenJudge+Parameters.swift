/// Values that their parameters' names, and the parameters beside them, account for.
extension TokenJudge {
  /// A value whose name and neighbours say what it is, and which looks like that.
  func isKnownValue(_ token: TokenShape, _ role: NameRole, _ companions: NameRole, _ oauth: Int) -> Bool {
    guard !role.isEmpty else { return false }
    let isUniform = token.content == .uniform
    let isSigned = companions.contains(.credential) && companions.contains(.expiry)
    if isUniform, role.contains(.signature), token.encoding == .hex, Self.isDigestLength(token.length),
      isSigned || companions.contains(.expiry)
    {
      return true
    }
    if isUniform, isSigned, role.contains(.signature) || role.contains(.credential) { return token.length <= 2_048 }
    if isSigned, role.contains(.policy) { return token.length <= 2_048 }
    if role.contains(.oauthValue), oauth >= 2 { return token.length <= 2_048 }
    if role.contains(.saml) { return token.length <= 8_192 && (token.encoding == .base64 || isUniform) }
    if role.contains(.cursor) { return token.length <= (isUniform ? 1_024 : 256) && token.encoding != .hex }
    if role.contains(.click) { return isUniform && token.length <= 512 && token.encoding != .hex }
    if role.contains(.secret) || role.contains(.signature) { return isUniform && token.length <= 512 }
    return role.contains(.digest) && isUniform && token.encoding == .hex && Self.isDigestLength(token.length)
  }

  /// A numeric expiry and a signature of its own beside the token: media that is streamed to whoever has the URL.
  var hasExpiryAndSignature: Bool {
    mutating get {
      if let known = knownExpiryAndSignature { return known }
      let result = findExpiryAndSignature()
      knownExpiryAndSignature = result
      return result
    }
  }

  private func findExpiryAndSignature() -> Bool {
    var expiry = false
    var signature = false
    var start = query.lowerBound
    var parameters = 0
    while start < query.upperBound, parameters < 256 {
      let end = bytes.firstIndex(of: UInt8(ascii: "&"), from: start, to: query.upperBound) ?? query.upperBound
      if let equals = bytes.firstIndex(of: UInt8(ascii: "="), from: start, to: end) {
        let role = NameRole.role(bytes, start..<equals)
        let value = equals + 1..<end
        // Seconds or milliseconds since 1970.
        if role.contains(.expiry), value.count >= 10, value.count <= 13,
          value.allSatisfy({ CharacterClass.table[Int(bytes.byte(at: $0))] == CharacterClass.digit })
        {
          expiry = true
        }
        if role.contains(.signature), value.count >= 20, value.count <= 128,
          value.allSatisfy({ CharacterClass.table[Int(bytes.byte(at: $0))] & ~CharacterClass.percent != 0 })
        {
          signature = true
        }
      }
      start = end + 1
      parameters += 1
    }
    return expiry && signature
  }
}
