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
    return hash.redacted(name, registrable: registrable(name), redaction)
  }

  /// Writes the name as `text` has it.
  func write(_ name: HostName, _ redaction: LabelRedaction, as key: String, into json: inout JSONWriter) {
    json.key(key)
    guard redaction != .never, redaction == .all || mayBeEncoded(name) else {
      if name.hasOddBytes { json.value(name.text) } else { json.value(ordinary: name) }
      return
    }
    json.value(hash.redacted(name, registrable: registrable(name), redaction))
  }

  /// The shape of a name.
  public func shape(_ name: HostName) -> NameShape { NameShape(name, registrable: registrable(name)) }

  /// True when some label is: the registrable domain of most names need not be looked up.
  private func mayBeEncoded(_ name: HostName) -> Bool {
    let shape = NameShape(name, registrable: 0)
    return shape.encodedLabels > 0 || shape.carriesText || shape.uniformLabels > 0
  }

  /// A word of a protocol that a client chooses freely: as it is when it is one of those that are registered, else its
  /// class, length and hash. Anything could stand there.
  func text(ofWord word: [UInt8], isRegistered: Bool) -> String {
    guard !isRegistered else { return String(decoding: word, as: UTF8.self) }
    let span = word.rawSpan
    let range = 0..<word.count
    return hash.redacted(span, range, as: NameShape.encoding(span, range))
  }
}
