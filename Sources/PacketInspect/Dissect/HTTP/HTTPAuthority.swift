/// A host and port as a target or a Host field writes them (RFC 3986 section 3.2).
struct HTTPAuthority {
  /// Where the host stands, without brackets. May hold the line ends of a folded field.
  var host: Range<Int>
  /// The port; nil when absent or no number.
  var port: UInt16?
  /// True when a user name stood before an "@".
  var hasUserInfo = false
  /// True when servers could read it in different ways: a path after it, a port that is none, an open bracket,
  /// white space or a comma inside.
  var isOdd = false

  /// Reads the bytes of `range`.
  init(_ stream: RawSpan, _ range: Range<Int>) {
    host = range
    var lower = range.lowerBound
    var upper = range.upperBound
    for index in range where Self.endsAuthority(stream.byte(at: index)) {
      upper = index
      isOdd = true
      break
    }
    for index in lower..<upper where stream.byte(at: index) == UInt8(ascii: "@") {
      lower = index + 1
      hasUserInfo = true
    }
    var hostEnd = upper
    if lower < upper, stream.byte(at: lower) == UInt8(ascii: "[") {
      lower += 1
      hostEnd = stream.firstIndex(of: UInt8(ascii: "]"), from: lower, to: upper) ?? upper
      if hostEnd == upper {
        isOdd = true
      } else {
        takePort(stream, hostEnd + 1..<upper)
      }
    } else if let colon = stream.firstIndex(of: UInt8(ascii: ":"), from: lower, to: upper),
      !HostAddressLiteral.isIPv6(stream.extracting(lower..<upper))
    {
      hostEnd = colon
      takePort(stream, colon..<upper)
    }
    host = lower..<hostEnd
    for index in host {
      let byte = stream.byte(at: index)
      if byte <= 0x20 || byte == UInt8(ascii: ",") { isOdd = true }
    }
  }

  /// Writes the host into `name`; false when it is no name: empty, or too long.
  func readName(_ stream: RawSpan, into name: inout HostName) -> Bool {
    guard stream.firstIndex(of: 0x0a, from: host.lowerBound, to: host.upperBound) != nil else {
      return name.assign(stream.extracting(host))
    }
    // A folded value: a server joins the lines before it looks.
    var joined: [UInt8] = []
    for index in host where stream.byte(at: index) != 0x0d && stream.byte(at: index) != 0x0a {
      joined.append(stream.byte(at: index))
    }
    return name.assign(joined.rawSpan)
  }

  /// The authority inside a request target: all of it for CONNECT, what follows "scheme://" in absolute-form
  /// (RFC 9112 section 3.2). Nil for the other forms.
  static func range(inTarget target: Range<Int>, _ stream: RawSpan, isConnect: Bool) -> Range<Int>? {
    var index = target.lowerBound
    while index < target.upperBound, isSchemeCharacter(stream.byte(at: index)) { index += 1 }
    var start = target.lowerBound
    if index > target.lowerBound, target.upperBound - index >= 3, stream.matches(HTTPWord.schemeEnd, at: index) {
      start = index + 3
    } else if !isConnect {
      return nil
    }
    var end = start
    while end < target.upperBound, !endsAuthority(stream.byte(at: end)) { end += 1 }
    return start..<end
  }

  private mutating func takePort(_ stream: RawSpan, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    guard stream.byte(at: range.lowerBound) == UInt8(ascii: ":") else {
      isOdd = true
      return
    }
    guard range.count > 1 else { return }
    var value = 0
    for index in range.dropFirst() {
      let byte = stream.byte(at: index)
      guard byte >= 0x30, byte <= 0x39, value <= 65_535 else {
        isOdd = true
        return
      }
      value = value * 10 + Int(byte - 0x30)
    }
    guard value <= 65_535 else {
      isOdd = true
      return
    }
    port = UInt16(value)
  }

  @inline(__always)
  private static func endsAuthority(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  private static func isSchemeCharacter(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == UInt8(ascii: "+")
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
  }
}
