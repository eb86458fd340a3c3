/// Writes one JSON value after another behind the bytes it is given (RFC 8259). Small and without Foundation; it
/// writes, never reads.
struct JSONWriter {
  private(set) var bytes: [UInt8]
  private var needsComma = false

  /// A writer that takes `bytes` over; `release` gives them back.
  init(taking bytes: inout [UInt8]) {
    self.bytes = []
    swap(&self.bytes, &bytes)
  }

  /// A writer of bytes of its own.
  init() { bytes = [] }

  /// Gives the bytes back to where they came from.
  mutating func release(to bytes: inout [UInt8]) { swap(&self.bytes, &bytes) }

  mutating func open() {
    separate()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
  }

  mutating func close() {
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  mutating func openArray() {
    separate()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
  }

  mutating func closeArray() {
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  /// A key of ours, of which no byte has to be escaped; a `String`, since a literal of it costs nothing to make.
  mutating func key(_ name: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: name.utf8)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// A key that others have named.
  mutating func key(foreign name: String) {
    separate()
    text(quoted: name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  mutating func value(_ string: String) {
    separate()
    text(quoted: string)
    needsComma = true
  }

  mutating func value(_ number: some FixedWidthInteger) {
    separate()
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    bytes.append(decimal: UInt64(number.magnitude))
    needsComma = true
  }

  mutating func value(_ address: IPAddress) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(address: address)
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  mutating func value(_ time: Timestamp) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    time.appendEVE(to: &bytes)
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  /// A name whose bytes are all ordinary (`HostName.hasOddBytes`): none of them has to be escaped.
  mutating func value(ordinary name: HostName) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    let span = name.span
    for index in span.indices { bytes.append(span[index]) }
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  /// Members of an object as this writer wrote them elsewhere.
  mutating func members(_ written: [UInt8]) {
    separate()
    bytes.append(contentsOf: written)
    needsComma = true
  }

  mutating func value(_ flag: Bool) {
    separate()
    bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    needsComma = true
  }

  mutating func null() {
    separate()
    bytes.append(contentsOf: "null".utf8)
    needsComma = true
  }

  mutating func member(_ name: String, _ string: String) {
    key(name)
    value(string)
  }

  mutating func member(_ name: String, _ number: some FixedWidthInteger) {
    key(name)
    value(number)
  }

  mutating func member(_ name: String, _ flag: Bool) {
    key(name)
    value(flag)
  }

  mutating func member(_ name: String, _ address: IPAddress) {
    key(name)
    value(address)
  }

  mutating func member(_ name: String, _ time: Timestamp) {
    key(name)
    value(time)
  }

  mutating func newline() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func text(quoted string: String) {
    bytes.append(UInt8(ascii: "\""))
    if Self.isOrdinary(string) {
      bytes.append(contentsOf: string.utf8)
    } else {
      for byte in string.utf8 { append(escaped: byte) }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static func isOrdinary(_ string: String) -> Bool {
    let text = string.utf8.span
    for index in text.indices where !isOrdinary(text[index]) { return false }
    return true
  }

  @inline(__always)
  private static func isOrdinary(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") && byte != 0x7f
  }

  private mutating func append(escaped byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      bytes.append(UInt8(ascii: "\\"))
      bytes.append(byte)
    case 0..<0x20, 0x7f:
      bytes.append(contentsOf: "\\u00".utf8)
      bytes.append(hexadecimalDigit: byte >> 4)
      bytes.append(hexadecimalDigit: byte & 0xf)
    default: bytes.append(byte)
    }
  }
}
