/// A host name as the inspector compares it: lower-case ASCII, labels joined by dots, no final dot, at most 253
/// bytes (RFC 1035 section 2.3.4), stored inline so that no name on the packet path allocates.
///
/// Names on the wire may hold any byte. What is no letter, digit, hyphen, underscore or dot is kept as it came
/// (`hasOddBytes`), because dropping or refusing it would blind the inspector to a name that still resolves.
public struct HostName: Sendable {
  /// RFC 1035 section 2.3.4: 255 bytes on the wire, 253 as text.
  public static let maximumLength = 253

  private var storage: InlineArray<253, UInt8>
  /// Number of bytes. Zero is the DNS root.
  public private(set) var count: Int
  /// FNV-1a over the lower-case bytes. Not keyed: tables that an attacker can fill mix in a secret of their own.
  public private(set) var hash: UInt64
  /// True when some byte is outside `[a-z0-9_.-]`, or a label contains a dot (only DNS can carry that).
  public private(set) var hasOddBytes: Bool

  /// The root: an empty name.
  public init() {
    storage = .init(repeating: 0)
    count = 0
    hash = 0xcbf2_9ce4_8422_2325
    hasOddBytes = false
  }

  /// A name from text bytes, as in SNI or Host: lower-cased, one final dot removed.
  ///
  /// Nil when empty or longer than 253 bytes. Ports, brackets and userinfo are the caller's business.
  public init?(_ text: RawSpan) {
    var length = text.byteCount
    if length > 0, text.byte(at: length - 1) == UInt8(ascii: ".") { length -= 1 }
    guard length > 0, length <= Self.maximumLength else { return nil }
    self.init()
    appendLowercased(text.extracting(first: length))
  }

  /// A name from a Swift string; nil when empty or too long. For configuration and tests.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes.rawSpan)
  }

  /// Adds one byte, lower-cased. Returns false, changing nothing, when the name is full.
  @inline(__always)
  @discardableResult
  public mutating func appendLowercased(_ byte: UInt8) -> Bool {
    guard count < Self.maximumLength else { return false }
    let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    storage[count] = lower
    count += 1
    hash = (hash ^ UInt64(lower)) &* 0x0000_0100_0000_01b3
    if !Self.isOrdinary(lower) { hasOddBytes = true }
    return true
  }

  /// Back to the root. The old bytes are not wiped: only the first `count` are ever looked at.
  @inline(__always)
  public mutating func removeAll() {
    count = 0
    hash = 0xcbf2_9ce4_8422_2325
    hasOddBytes = false
  }

  /// Becomes the name that `init?(_ text:)` would make, in place: a name is 280 bytes, and moving it about costs more
  /// than reading it. Returns false, and is the root, where the initialiser gives nil.
  public mutating func assign(_ text: RawSpan) -> Bool {
    removeAll()
    var length = text.byteCount
    if length > 0, text.byte(at: length - 1) == UInt8(ascii: ".") { length -= 1 }
    guard length > 0, length <= Self.maximumLength else { return false }
    return appendLowercased(text.extracting(first: length))
  }

  /// Adds bytes, lower-cased, as far as there is room. Returns false when not all of them fit.
  @inline(__always)
  @discardableResult
  public mutating func appendLowercased(_ bytes: RawSpan) -> Bool {
    let length = min(bytes.byteCount, Self.maximumLength - count)
    // In variables of their own, or every byte would write all of the name's state back to memory.
    var hash = hash
    var isOdd = false
    for index in 0..<length {
      let byte = bytes.byte(at: index)
      let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
      storage[count + index] = lower
      hash = (hash ^ UInt64(lower)) &* 0x0000_0100_0000_01b3
      if !Self.isOrdinary(lower) { isOdd = true }
    }
    count += length
    self.hash = hash
    if isOdd { hasOddBytes = true }
    return length == bytes.byteCount
  }

  /// The name's bytes, borrowed.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    @inline(__always)
    get { storage.span.extracting(0..<count) }
  }

  /// Notes that a label carried a literal dot, which text cannot show.
  public mutating func markOdd() { hasOddBytes = true }

  @inline(__always)
  private static func isOrdinary(_ byte: UInt8) -> Bool {
    // Hyphen, dot and digits; underscore and small letters: the ASCII table as two bit sets.
    let set: UInt64 = byte < 64 ? 0x03ff_6000_0000_0000 : byte < 128 ? 0x07ff_fffe_8000_0000 : 0
    return set >> UInt64(byte & 63) & 1 == 1
  }

  /// The byte at `index`. Traps when out of range.
  @inline(__always)
  public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return storage[index]
  }

  /// The last `length` bytes as a name of their own; all of it when `length` is larger.
  public func suffix(_ length: Int) -> HostName {
    var result = HostName()
    // Here and below through a span: indexing the storage itself copies all of it first, for every byte.
    let bytes = span
    for index in max(0, count - length)..<count { result.appendLowercased(bytes[index]) }
    return result
  }

  /// Offsets, from the left, at which a label starts: 0 first.
  public var labelStarts: [Int] {
    var starts = [0]
    let bytes = span
    for index in bytes.indices where bytes[index] == 0x2e { starts.append(index + 1) }
    return starts
  }

  /// The name as text; a byte outside printable ASCII, and a backslash, as `\DDD` (RFC 4343 section 2.1).
  public var text: String { Self.text(rawSpan, 0..<count) }

  /// Bytes of a name as `text` writes them.
  static func text(_ bytes: RawSpan, _ range: Range<Int>) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(range.count)
    for index in range {
      let byte = bytes.byte(at: index)
      if byte < 0x21 || byte > 0x7e || byte == 0x5c {
        out.append(0x5c)
        out.append(0x30 + byte / 100)
        out.append(0x30 + byte / 10 % 10)
        out.append(0x30 + byte % 10)
      } else {
        out.append(byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension HostName: Hashable {
  /// Equal bytes after lower-casing.
  public static func == (left: HostName, right: HostName) -> Bool {
    guard left.hash == right.hash, left.count == right.count else { return false }
    let (one, other) = (left.span, right.span)
    for index in one.indices where one[index] != other[index] { return false }
    return true
  }

  /// Feeds the bytes, not the unkeyed hash, so that dictionaries keep Swift's per-process seed.
  public func hash(into hasher: inout Hasher) {
    let bytes = span
    for index in bytes.indices { hasher.combine(bytes[index]) }
  }
}

extension HostName: CustomStringConvertible {
  /// The name as `text` writes it; "." for the root.
  public var description: String { count == 0 ? "." : text }
}
