/// The method token of a request line (RFC 9110 section 9.1, RFC 9112 section 3).
enum HTTPMethod {
  /// Longer tokens are no method that anyone registered or invented.
  static let maximumLength = 32

  /// How the bytes at some offset compare with the known methods.
  enum Match {
    /// A known method, then a space or tab.
    case known
    /// The bytes end before it can be told.
    case prefix
    /// No known method.
    case none
  }

  /// The registered methods that servers meet, and unregistered ones in real use, each as one number.
  private static let packed: [UInt128] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
    // WebDAV and its extensions
    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "ACL", "BIND", "UNBIND",
    "REBIND", "MERGE", "CHECKIN", "CHECKOUT", "UNCHECKOUT", "UPDATE", "LABEL", "MKACTIVITY", "MKWORKSPACE",
    "MKCALENDAR", "MKREDIRECTREF", "ORDERPATCH", "BASELINE-CONTROL", "VERSION-CONTROL", "LINK", "UNLINK",
    // UPnP, caches, and remote procedure calls over HTTP
    "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "M-SEARCH", "PURGE", "SOURCE", "CCM_POST", "RPC_CONNECT", "RPC_IN_DATA",
    "RPC_OUT_DATA", "BCOPY", "BDELETE", "BMOVE", "BPROPFIND", "BPROPPATCH", "POLL",
  ].map { pack($0) }

  private static func pack(_ text: StaticString) -> UInt128 {
    var value: UInt128 = 0
    for byte in text.description.utf8 { value = value << 8 | UInt128(byte) }
    return value
  }

  /// True for a method that servers meet.
  static func isKnown(_ method: [UInt8]) -> Bool {
    var value: UInt128 = 0
    for byte in method { value = value << 8 | UInt128(byte) }
    return method.count <= 16 && packed.contains(value)
  }

  /// Compares the bytes from `start` with the known methods. No known method is longer than 16 bytes.
  static func match(_ stream: RawSpan, from start: Int) -> Match {
    var value: UInt128 = 0
    var length = 0
    while start + length < stream.byteCount {
      let byte = stream.byte(at: start + length)
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { return packed.contains(value) ? .known : .none }
      guard length < 16, isToken(byte) else { return .none }
      value = value << 8 | UInt128(byte)
      length += 1
    }
    for candidate in packed {
      let candidateLength = 16 - candidate.leadingZeroBitCount / 8
      if length <= candidateLength, candidate >> UInt128(8 * (candidateLength - length)) == value { return .prefix }
    }
    return .none
  }

  /// True for the characters of a token (RFC 9110 section 5.6.2).
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    // Two halves of the ASCII table as bit sets.
    if byte < 64 { return 0x03ff_6cfa_0000_0000 as UInt64 >> UInt64(byte) & 1 == 1 }
    if byte < 128 { return 0x57ff_ffff_c7ff_fffe as UInt64 >> UInt64(byte - 64) & 1 == 1 }
    return false
  }
}

extension RawSpan {
  /// The first `byte` at or after `start` and before `end`, eight bytes at a time; nil when there is none.
  func firstIndex(of byte: UInt8, from start: Int, to end: Int) -> Int? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let pattern = ones &* UInt64(byte)
    var index = start
    let wanted = SIMD16<UInt8>(repeating: byte)
    while index + 32 <= end {
      let first = (lanes(at: index) .== wanted).ones
      let second = (lanes(at: index + 16) .== wanted).ones
      if (first | second).isAny {
        return index + (first.gathered | second.gathered << 16).trailingZeroBitCount
      }
      index += 32
    }
    while index + 8 <= end {
      // Non-zero exactly when some byte of `difference` is zero, that is, when one of the eight is the one wanted.
      let difference = u64(at: index) ^ pattern
      if (difference &- ones) & ~difference & (ones << 7) != 0 { break }
      index += 8
    }
    while index < end {
      if self.byte(at: index) == byte { return index }
      index += 1
    }
    return nil
  }
}
