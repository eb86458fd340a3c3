/// Why bytes could not be read as what they claim to be.
///
/// One byte, so that a thrown error costs no allocation: garbage is the path an attacker picks.
/// Unknown *values* are data and never an error; these are impossible *shapes*.
public enum ParseError: UInt8, Error, Sendable, CaseIterable {
  /// The bytes end before the field does.
  case truncated
  /// A length field contradicts the space around it.
  case badLength
  /// A version or format marker names something else.
  case notThisProtocol
  /// A DNS compression pointer does not point strictly backwards (RFC 1035 section 4.1.4).
  case badPointer
  /// A name has a label or total length beyond RFC 1035 section 2.3.4, or no label at all.
  case badName
  /// A field holds a value that its specification rules out and that cannot be skipped.
  case badValue
  /// A named cap of ours was reached.
  case tooMany
}
