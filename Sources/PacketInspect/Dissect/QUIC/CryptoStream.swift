/// The client's handshake bytes of one connection, from CRYPTO frames in any order (RFC 9000 section 19.6).
///
/// Bytes stay after they were parsed, so that a second copy with other content is noticed: a server that never got
/// the first would act on the second.
public struct CryptoStream: Sendable {
  /// What adding a frame did.
  public enum Outcome: Hashable, Sendable {
    /// There are more bytes in order than before.
    case advanced
    /// Nothing new in order.
    case nothingNew
    /// It disagrees with bytes already seen at the same place.
    case conflict
    /// It lies beyond `window`, or leaves more than `maximumPieces` pieces.
    case tooMany
  }

  /// Bytes kept beyond the parsed ones: the longest hello that is read.
  public static let window = TLSHello.maximumMessageLength
  /// Separate pieces kept: clients that shuffle their hello make a few dozen.
  public static let maximumPieces = 128

  private var bytes: [UInt8] = []
  /// What has come: ascending, neither overlapping nor touching.
  private var pieces: [Range<Int>] = []
  /// Bytes before this offset were parsed.
  public private(set) var parsed = 0

  /// A stream without bytes.
  public init() {}

  /// Bytes held, gaps included.
  public var heldBytes: Int { bytes.count }

  /// Bytes in order from the start.
  public var contiguous: Int {
    guard let first = pieces.first, first.lowerBound == 0 else { return 0 }
    return first.upperBound
  }

  /// Takes a frame's data.
  public mutating func add(_ data: RawSpan, offset: UInt64) -> Outcome {
    guard data.byteCount > 0 else { return .nothingNew }
    let limit = parsed + Self.window
    guard offset <= UInt64(limit), Int(offset) + data.byteCount <= limit else { return .tooMany }
    let start = Int(offset)
    let end = start + data.byteCount
    for piece in pieces where piece.lowerBound < end && piece.upperBound > start {
      for place in max(start, piece.lowerBound)..<min(end, piece.upperBound)
      where bytes[place] != data.byte(at: place - start) { return .conflict }
    }
    let before = contiguous
    if end > bytes.count { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
    for index in 0..<data.byteCount { bytes[start + index] = data.byte(at: index) }
    merge(start..<end)
    guard pieces.count <= Self.maximumPieces else { return .tooMany }
    return contiguous > before ? .advanced : .nothingNew
  }

  private mutating func merge(_ piece: Range<Int>) {
    let first = pieces.firstIndex { $0.upperBound >= piece.lowerBound } ?? pieces.count
    var merged = piece
    var last = first
    while last < pieces.count, pieces[last].lowerBound <= piece.upperBound {
      merged = min(merged.lowerBound, pieces[last].lowerBound)..<max(merged.upperBound, pieces[last].upperBound)
      last += 1
    }
    pieces.replaceSubrange(first..<last, with: CollectionOfOne(merged))
  }

  /// Lends the bytes in order that were not parsed.
  public func withUnparsed<Result>(_ body: (RawSpan) -> Result) -> Result {
    body(bytes.rawSpan.extracting(parsed..<max(parsed, contiguous)))
  }

  /// Marks `count` more bytes as parsed.
  public mutating func markParsed(_ count: Int) { parsed = min(contiguous, parsed + max(0, count)) }

  /// Forgets everything, storage included.
  public mutating func removeAll() { self = CryptoStream() }
}
