/// How a token is written. The names are stable: they stand in events.
public enum EncodingClass: String, Sendable, CaseIterable {
  /// Words, numbers, or too short to say.
  case plain
  /// Base 16: at most 4 bits a character.
  case hex
  /// One case of letters with digits: base 32 and its relatives.
  case base32
  /// Base 64 with the alphabet of RFC 4648 section 4.
  case base64
  /// Base 64 with the alphabet of RFC 4648 section 5.
  case base64url
  /// Percent-encoding of what needs none, or of bytes that are no text.
  case percent
  /// In names only: bytes that no host name has.
  case binary

  /// True for what carries data rather than words.
  public var isEncoded: Bool { self != .plain }
}

/// What the decoded bytes of an encoded token look like.
public enum DecodedContent: UInt8, Sendable {
  /// Bytes without structure: a digest, a signature, something encrypted or compressed.
  case uniform
  /// Mostly printable text, or the first bytes of a common file format: data that somebody sends.
  case structured
}

/// One token: class, length and content, never the token.
public struct TokenShape: Hashable, Sendable {
  /// How it is written.
  public var encoding = EncodingClass.plain
  /// Characters, after percent-decoding.
  public var length = 0
  /// Shannon entropy of the first 256 characters of an encoded token, in hundredths of a bit a character;
  /// telemetry, which decides nothing.
  public var entropy = 0
  /// What it decodes to; nil for a plain token.
  public var content: DecodedContent?

  /// A plain token of no length.
  public init() {}
}
