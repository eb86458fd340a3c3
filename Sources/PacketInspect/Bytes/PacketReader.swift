/// A bounds-checked cursor over borrowed bytes: the only door through which the core reads packet memory.
///
/// A reader only shrinks. `take` hands out a child that cannot outgrow its parent, so a lying length field is
/// confined to the structure that carries it. The reader cannot outlive the bytes (`~Escapable`).
/// Multi-byte reads are big-endian (network order) unless named otherwise.
public struct PacketReader: ~Escapable {
  /// Everything this reader was made over, read or not.
  public let bytes: RawSpan
  /// Offset of the next unread byte from the start of `bytes`.
  public private(set) var offset: Int

  /// A reader over all of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
    self.offset = 0
  }

  /// Number of unread bytes.
  public var remaining: Int { bytes.byteCount - offset }

  /// True when everything was read.
  public var isEmpty: Bool { offset >= bytes.byteCount }

  /// The unread bytes, without moving.
  public var rest: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(droppingFirst: offset) }
  }

  /// Reads one byte.
  @inline(__always)
  public mutating func u8() throws(ParseError) -> UInt8 {
    guard offset < bytes.byteCount else { throw .truncated }
    defer { offset += 1 }
    return bytes.byte(at: offset)
  }

  /// Reads two bytes, big-endian.
  @inline(__always)
  public mutating func u16() throws(ParseError) -> UInt16 {
    guard remaining >= 2 else { throw .truncated }
    defer { offset += 2 }
    return bytes.u16(at: offset)
  }

  /// Reads four bytes, big-endian.
  @inline(__always)
  public mutating func u32() throws(ParseError) -> UInt32 {
    guard remaining >= 4 else { throw .truncated }
    defer { offset += 4 }
    return bytes.u32(at: offset)
  }

  /// Reads eight bytes, big-endian.
  @inline(__always)
  public mutating func u64() throws(ParseError) -> UInt64 {
    let high = try u32()
    let low = try u32()
    return UInt64(high) << 32 | UInt64(low)
  }

  /// Moves past `count` bytes. Throws `truncated` when there are fewer, `badLength` when negative.
  @inline(__always)
  public mutating func skip(_ count: Int) throws(ParseError) {
    guard count >= 0 else { throw .badLength }
    guard remaining >= count else { throw .truncated }
    offset += count
  }

  /// Reads `count` bytes as a child reader, confined to them.
  @_lifetime(copy self)
  @inline(__always)
  public mutating func take(_ count: Int) throws(ParseError) -> PacketReader {
    PacketReader(try span(count))
  }

  /// Reads `count` bytes as a span.
  @_lifetime(copy self)
  @inline(__always)
  public mutating func span(_ count: Int) throws(ParseError) -> RawSpan {
    guard count >= 0 else { throw .badLength }
    guard remaining >= count else { throw .truncated }
    defer { offset += count }
    return bytes.extracting(offset..<offset + count)
  }
}

extension RawSpan {
  /// The byte at `offset`. Traps when out of range, like an array.
  @inlinable @inline(__always)
  public func byte(at offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < byteCount)
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  /// Two bytes at `offset`, big-endian. Traps when out of range.
  @inlinable @inline(__always)
  public func u16(at offset: Int) -> UInt16 {
    precondition(offset >= 0 && offset <= byteCount - 2)
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self).bigEndian
  }

  /// Four bytes at `offset`, big-endian. Traps when out of range.
  @inlinable @inline(__always)
  public func u32(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset <= byteCount - 4)
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self).bigEndian
  }

  /// Eight bytes at `offset`, big-endian. Traps when out of range.
  @inlinable @inline(__always)
  public func u64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= byteCount - 8)
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self).bigEndian
  }

  /// Sixteen bytes at `offset`, in their order. Traps when out of range.
  @inline(__always)
  public func lanes(at offset: Int) -> SIMD16<UInt8> {
    precondition(offset >= 0 && offset <= byteCount - 16)
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: SIMD16<UInt8>.self)
  }

  /// True when both hold the same bytes.
  public func equals(_ other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    var index = 0
    while index + 8 <= byteCount {
      if u64(at: index) != other.u64(at: index) { return false }
      index += 8
    }
    while index < byteCount {
      if byte(at: index) != other.byte(at: index) { return false }
      index += 1
    }
    return true
  }

  /// True when some byte is `wanted`.
  @inline(__always)
  func contains(_ wanted: UInt8) -> Bool {
    for index in 0..<byteCount where byte(at: index) == wanted { return true }
    return false
  }

  /// A copy of the bytes. Allocates: for events and tests, not for the packet path.
  public func array() -> [UInt8] {
    var copy: [UInt8] = []
    copy.append(self)
    return copy
  }
}

extension SIMD16<UInt8> {
  /// The sixteen bytes as two words, the first byte the lowest of the first.
  @inline(__always)
  var words: (UInt64, UInt64) {
    let words = unsafe unsafeBitCast(self, to: SIMD2<UInt64>.self)
    return (words[0].littleEndian, words[1].littleEndian)
  }
}

extension MutableSpan<UInt8> {
  /// Writes sixteen bytes from `offset` on. Traps when out of range.
  @inline(__always)
  @_lifetime(self: copy self)
  mutating func store(_ lanes: SIMD16<UInt8>, at offset: Int) {
    var bytes = unsafe mutableBytes
    bytes.storeBytes(of: lanes, toByteOffset: offset, as: SIMD16<UInt8>.self)
  }
}

extension [UInt8] {
  /// The array's bytes, borrowed.
  public var rawSpan: RawSpan {
    @_lifetime(borrow self)
    get { unsafe span.bytes }
  }

  /// Appends all of `bytes` in one copy.
  public mutating func append(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe append(contentsOf: $0) }
  }
}

extension HostName {
  /// The name's bytes, borrowed.
  var rawSpan: RawSpan {
    @_lifetime(borrow self)
    get { unsafe span.bytes }
  }
}
