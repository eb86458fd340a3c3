/// From where on the shape of an agent type's traffic is flagged (design, section 6). Sizes, never content.
public struct ShapePolicy: Hashable, Sendable {
  /// Characters from which on an encoded token in a path or query is flagged.
  public var encodedTokenLength = 64
  /// Bytes sent in one flow or request from which on it may be called upload-heavy.
  public var uploadBytes: UInt64 = 50_000_000

  /// The defaults.
  public init() {}
}
