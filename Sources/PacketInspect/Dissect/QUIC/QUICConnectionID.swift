/// A connection ID of at most 20 bytes, stored inline.
public struct QUICConnectionID: Sendable, Equatable {
  /// RFC 9000 section 17.2: the longest that the versions we read allow.
  public static let maximumLength = 20

  private var storage = InlineArray<20, UInt8>(repeating: 0)
  /// Number of bytes; may be zero.
  public let count: Int

  /// Nil when longer than `maximumLength`.
  public init?(_ bytes: RawSpan) {
    guard bytes.byteCount <= Self.maximumLength else { return nil }
    count = bytes.byteCount
    for index in 0..<count { storage[index] = bytes.byte(at: index) }
  }

  /// The bytes.
  public var bytes: [UInt8] { (0..<count).map { storage[$0] } }

  /// The same bytes.
  public static func == (left: QUICConnectionID, right: QUICConnectionID) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count where left.storage[index] != right.storage[index] { return false }
    return true
  }
}
