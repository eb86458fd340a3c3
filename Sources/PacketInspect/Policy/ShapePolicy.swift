/// From where on the shape of an agent type's traffic is flagged (design, section 6). Sizes, never content.
public struct ShapePolicy: Hashable, Sendable {
  /// Characters from which on an encoded token in a path or query is flagged.
  public var encodedTokenLength = 64
  /// Characters in encoded labels under one registrable domain, within `labelWindow`, from which on they are flagged.
  public var encodedHostBytes = 4_096
  /// Different names under one registrable domain, within `labelWindow`, from which on they are flagged.
  public var uniqueLabels = 200
  /// The time over which names are counted, in nanoseconds.
  public var labelWindow: Int64 = 3_600_000_000_000
  /// Bytes sent in one flow or request from which on it may be called upload-heavy.
  public var uploadBytes: UInt64 = 50_000_000

  /// The defaults.
  public init() {}
}
