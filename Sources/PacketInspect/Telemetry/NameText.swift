/// Writes names as they may leave the process: labels below the registrable domain as class, length and keyed hash
/// where they are encoded (design, section 6, "Privacy").
public struct NameText: Sendable {
  private let hash: KeyedHash
  private let registrable: @Sendable (HostName) -> Int

  /// A writer of names. The key must be secret, and stay the same for as long as equal names should look equal.
  public init(key: (UInt64, UInt64), domains: some RegistrableDomains & Sendable) {
    hash = KeyedHash(key: key)
    registrable = { domains.registrableLength(of: $0) }
  }

  /// The name, redacted as `redaction` says.
  public func text(_ name: HostName, _ redaction: LabelRedaction) -> String {
    guard redaction != .never, redaction == .all || mayBeEncoded(name) else { return name.text }
    let bytes = name.rawSpan
    let registrable = registrable(name)
    let shape = NameShape(name, registrable: registrable)
    let end = NameShape.below(name, registrable)
    var parts: [String] = []
    NameShape.forEachLabel(bytes, end) { label in
      let encoding = shape.encoding(bytes, label)
      if redaction == .all || encoding.isEncoded {
        parts.append("\(encoding.rawValue)~\(label.count)~\(Self.hexadecimal(hash.hash(bytes, label)))")
      } else {
        parts.append(HostName.text(bytes, label))
      }
    }
    if end < name.count { parts.append(HostName.text(bytes, (end > 0 ? end + 1 : 0)..<name.count)) }
    return parts.joined(separator: ".")
  }

  /// The shape of a name.
  public func shape(_ name: HostName) -> NameShape { NameShape(name, registrable: registrable(name)) }

  /// True when some label is: the registrable domain of most names need not be looked up.
  private func mayBeEncoded(_ name: HostName) -> Bool {
    let shape = NameShape(name, registrable: 0)
    return shape.encodedLabels > 0 || shape.carriesText || shape.uniformLabels > 0
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
