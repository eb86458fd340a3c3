/// Reading domain names from a DNS message (RFC 1035 sections 3.1 and 4.1.4).
///
/// A name is a run of labels that ends in the root or in a pointer to an earlier run. Every pointer must lead to a
/// place before the run it ends: loops and forward pointers are impossible, and so reading always ends.
enum DNSName {
  /// Pointers followed in one name: it has at most 127 labels, and no encoder points to a pointer.
  static let maximumPointers = 127
  /// RFC 1035 section 2.3.4, length bytes and root included.
  static let maximumWireLength = 255

  /// Reads the name at `start` and returns the offset after it.
  ///
  /// Labels may hold any byte and are kept as they came, lower-cased. A literal dot inside a label becomes the four
  /// characters `\046`, so that the label "a.b" is never taken for two; the name is marked odd. Throws `truncated`,
  /// `badPointer` or `badName`; what was read before stays in `name`.
  static func read(_ message: RawSpan, at start: Int, into name: inout HostName) throws(ParseError) -> Int {
    var reader = Reader(escapesDots: true)
    do throws(ParseError) {
      return try reader.read(message, at: start, into: &name)
    } catch {
      guard reader.isFull else { throw error }
    }
    // A name full of dots does not fit in text. The labels to the right say where it goes: they must not be lost,
    // so the dots become single backslashes.
    reader = Reader(escapesDots: false)
    return try reader.read(message, at: start, into: &name)
  }

  /// The offset after the name at `start`, without reading it: pointers are not followed, and a name that is too
  /// long can be stepped over like any other.
  static func skip(_ message: RawSpan, at start: Int) throws(ParseError) -> Int {
    var offset = start
    while true {
      guard offset < message.byteCount else { throw .truncated }
      let length = Int(message.byte(at: offset))
      switch length >> 6 {
      case 0:
        if length == 0 { return offset + 1 }
        offset += 1 + length
      case 3:
        guard message.byteCount - offset >= 2 else { throw .truncated }
        return offset + 2
      default:
        throw .badName
      }
    }
  }

  /// One attempt at a name.
  private struct Reader {
    /// Whether a dot in a label is written in four characters or one.
    let escapesDots: Bool
    /// True when `badName` was thrown only because the text form is full.
    var isFull = false

    init(escapesDots: Bool) { self.escapesDots = escapesDots }

    mutating func read(_ message: RawSpan, at start: Int, into name: inout HostName) throws(ParseError) -> Int {
      name = HostName()
      var offset = start
      var runStart = start
      var end: Int?
      var pointers = 0
      var wireLength = 1
      while true {
        guard offset < message.byteCount else { throw .truncated }
        let length = Int(message.byte(at: offset))
        switch length >> 6 {
        case 0:
          guard length > 0 else { return end ?? offset + 1 }
          guard message.byteCount - offset > length else { throw .truncated }
          wireLength += length + 1
          guard wireLength <= maximumWireLength else { throw .badName }
          if wireLength > length + 2 { try append(UInt8(ascii: "."), to: &name) }
          try appendLabel(message, offset + 1..<offset + 1 + length, to: &name)
          offset += 1 + length
        case 3:
          guard message.byteCount - offset >= 2 else { throw .truncated }
          let target = Int(message.u16(at: offset) & 0x3fff)
          pointers += 1
          guard target < runStart, pointers <= maximumPointers else { throw .badPointer }
          if end == nil { end = offset + 2 }
          offset = target
          runStart = target
        default:
          // 01 and 10: extended label types that never came into use (RFC 6891 section 5).
          throw .badName
        }
      }
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8, to name: inout HostName) throws(ParseError) {
      guard name.appendLowercased(byte) else {
        isFull = true
        throw .badName
      }
    }

    private mutating func appendLabel(
      _ message: RawSpan, _ label: Range<Int>, to name: inout HostName
    ) throws(ParseError) {
      let bytes = message.extracting(label)
      guard bytes.contains(UInt8(ascii: ".")) else {
        guard name.appendLowercased(bytes) else {
          isFull = true
          throw .badName
        }
        return
      }
      var index = label.lowerBound
      while index < label.upperBound {
        let byte = message.byte(at: index)
        index += 1
        if byte != UInt8(ascii: ".") {
          try append(byte, to: &name)
          continue
        }
        name.markOdd()
        try append(UInt8(ascii: "\\"), to: &name)
        guard escapesDots else { continue }
        try append(UInt8(ascii: "0"), to: &name)
        try append(UInt8(ascii: "4"), to: &name)
        try append(UInt8(ascii: "6"), to: &name)
      }
    }
  }
}
