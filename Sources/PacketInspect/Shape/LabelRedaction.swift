/// Which labels below the registrable domain are written as class, length and keyed hash wherever a name leaves the
/// process (design, section 6, "Privacy").
public enum LabelRedaction: String, Sendable, CaseIterable {
  /// None: names are written as they are.
  case never
  /// Those that the classifier calls encoded.
  case encoded
  /// All.
  case all
}

extension KeyedHash {
  /// `name`, whose last `registrable` bytes are its registrable domain (0 for none), with those labels below it that
  /// `redaction` says as class, length and hash.
  func redacted(_ name: HostName, registrable: Int, _ redaction: LabelRedaction) -> String {
    let bytes = name.rawSpan
    let shape = NameShape(name, registrable: registrable)
    let end = NameShape.below(name, registrable)
    var parts: [String] = []
    NameShape.forEachLabel(bytes, end) { label in
      let encoding = shape.encoding(bytes, label)
      parts.append(
        redaction == .all || redaction == .encoded && encoding.isEncoded
          ? redacted(bytes, label, as: encoding) : HostName.text(bytes, label))
    }
    if end < name.count { parts.append(HostName.text(bytes, (end > 0 ? end + 1 : 0)..<name.count)) }
    return parts.joined(separator: ".")
  }

  /// Bytes that stay here, as class, length and hash.
  func redacted(_ bytes: RawSpan, _ range: Range<Int>, as encoding: EncodingClass) -> String {
    let digits = String(hash(bytes, range), radix: 16)
    return "\(encoding.rawValue)~\(range.count)~\(String(repeating: "0", count: 16 - digits.count))\(digits)"
  }
}
