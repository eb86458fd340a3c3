/// Where the first handshake message of a byte stream lies among its records (RFC 8446 section 5.1).
///
/// A ClientHello may be cut into records anywhere, down to one byte each. The search copies nothing: it walks the
/// record headers and looks at the first bytes of the message. What a TLS server would put up with is put up with
/// here: any minor version in the record header, a few empty records or warning alerts on the way.
enum TLSRecord {
  /// RFC 5246 section 6.2.3: 2^14 bytes of content and what a cipher may add. Plaintext needs less, servers differ.
  static let maximumLength = 16_640
  /// Empty records and warning alerts tolerated before the hello is complete: servers give up after a handful.
  static let maximumStrays = 8
  /// The shortest ClientHello body: version, random, and three empty vectors.
  static let minimumBody = 38
  /// Beyond this the 24-bit length is not one of a ClientHello, and the bytes are not TLS.
  static let maximumPlausibleBody = 131_072

  /// The answer of `locate`.
  enum Location: Equatable {
    /// The bytes so far fit; `recognised` once they can hardly be anything else.
    case needMore(recognised: Bool)
    /// Not the start of a TLS stream.
    case notThisProtocol
    /// It began as a ClientHello and broke off after `gathered` bytes of the message.
    case broken(ParseError, gathered: Int)
    /// The whole message, header included, in one piece.
    case contiguous(Range<Int>)
    /// The whole message in several records; its last byte is the one before `end`.
    case scattered(count: Int, end: Int)
  }

  /// Looks for a ClientHello at the start of `stream`. Linear in the number of records.
  static func locate(_ stream: RawSpan, oddities: inout Oddities) -> Location {
    var offset = 0
    var gathered = 0
    var start = MessageStart()
    var strays = 0
    while true {
      guard offset < stream.byteCount else { return .needMore(recognised: start.isComplete) }
      let left = stream.byteCount - offset
      let type = stream.byte(at: offset)
      let failure: Location = gathered == 0 ? .notThisProtocol : .broken(.badValue, gathered: gathered)
      guard type == ContentType.handshake || type == ContentType.alert else { return failure }
      guard left < 2 || stream.byte(at: offset + 1) == 3 else { return failure }
      guard left >= 5 else { return .needMore(recognised: start.isComplete) }
      if stream.byte(at: offset + 2) > 4 { oddities.insert(.oddVersion) }
      let length = Int(stream.u16(at: offset + 3))
      let content = offset + 5
      let available = min(length, stream.byteCount - content)
      if type == ContentType.alert || length == 0 {
        // A fatal alert (level 2) ends the connection: nothing after it is a hello.
        guard length == 0 || (length == 2 && (available == 0 || stream.byte(at: content) == 1)) else { return failure }
        strays += 1
        guard strays <= maximumStrays else { return failure }
        oddities.insert(.oddRecords)
      } else {
        guard length <= maximumLength else { return failure }
        guard start.feed(stream, from: content, count: available) else { return .notThisProtocol }
        if let needed = start.messageLength {
          guard needed <= TLSHello.maximumMessageLength else {
            return .broken(.tooMany, gathered: gathered + min(available, needed - gathered))
          }
          let taken = min(available, needed - gathered)
          if gathered == 0, taken == needed { return .contiguous(content..<content + needed) }
          gathered += taken
          if gathered == needed { return .scattered(count: needed, end: content + taken) }
        } else {
          gathered += available
        }
      }
      guard available == length else { return .needMore(recognised: start.isComplete) }
      offset = content + length
    }
  }

  /// Copies the first `count` message bytes that `locate` found out of their records to the start of `scratch`, which
  /// only ever grows: what lies after them is left over from earlier hellos.
  static func join(_ stream: RawSpan, count: Int, into scratch: inout [UInt8]) {
    while scratch.count < count { scratch.append(0) }
    var joined = scratch.mutableSpan
    var filled = 0
    var offset = 0
    while filled < count, offset + 5 <= stream.byteCount {
      let content = offset + 5
      let end = content + Int(stream.u16(at: offset + 3))
      if stream.byte(at: offset) == ContentType.handshake {
        let taken = min(min(end, stream.byteCount) - content, count - filled)
        for index in 0..<taken { joined[filled + index] = stream.byte(at: content + index) }
        filled += taken
      }
      offset = end
    }
  }

  private enum ContentType {
    static let alert: UInt8 = 21
    static let handshake: UInt8 = 22
  }

  /// The first four bytes of the handshake message, which may come one record each.
  private struct MessageStart {
    private var bytes: UInt32 = 0
    private var count = 0

    var isComplete: Bool { count == 4 }

    /// Header and body, in bytes; nil until all four bytes are there.
    var messageLength: Int? { count == 4 ? 4 + Int(bytes & 0xff_ffff) : nil }

    /// Takes what it still lacks; false when this is no ClientHello.
    mutating func feed(_ stream: RawSpan, from start: Int, count available: Int) -> Bool {
      var index = 0
      while count < 4, index < available {
        bytes = bytes << 8 | UInt32(stream.byte(at: start + index))
        count += 1
        index += 1
        if count == 1, bytes != 1 { return false }
        if count == 2, bytes & 0xff > 1 { return false }
        if count == 4 {
          let body = Int(bytes & 0xff_ffff)
          guard body >= minimumBody, body <= maximumPlausibleBody else { return false }
        }
      }
      return true
    }
  }
}
