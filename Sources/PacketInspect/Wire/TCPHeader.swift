/// The flags of a TCP header (RFC 9293 section 3.1), as they lie in its fourteenth byte.
public struct TCPFlags: OptionSet, Hashable, Sendable {
  /// The byte on the wire.
  public let rawValue: UInt8
  /// From the byte on the wire.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No more data from the sender.
  public static let fin = TCPFlags(rawValue: 0x01)
  /// Synchronise sequence numbers.
  public static let syn = TCPFlags(rawValue: 0x02)
  /// Reset the connection.
  public static let rst = TCPFlags(rawValue: 0x04)
  /// Push.
  public static let psh = TCPFlags(rawValue: 0x08)
  /// The acknowledgement number counts.
  public static let ack = TCPFlags(rawValue: 0x10)
  /// The urgent pointer counts.
  public static let urg = TCPFlags(rawValue: 0x20)
  /// Congestion experienced echo (RFC 3168).
  public static let ece = TCPFlags(rawValue: 0x40)
  /// Congestion window reduced (RFC 3168).
  public static let cwr = TCPFlags(rawValue: 0x80)
}

/// The fields of a TCP header that flow tracking needs.
public struct TCPFields: Hashable, Sendable {
  /// Sequence number of the first payload byte, or of the SYN.
  public let sequence: UInt32
  /// The next sequence number the sender expects; meaningful with `ack`.
  public let acknowledgement: UInt32
  /// The flags.
  public let flags: TCPFlags
  /// The window as on the wire, unscaled.
  public let window: UInt16
  /// The urgent pointer; meaningful with `urg`.
  public let urgentPointer: UInt16

  /// RFC 9293 section 3.1: the header without options.
  static let fixedLength = 20

  /// The fixed part at the start of `segment`, which holds at least `fixedLength` bytes.
  @inline(__always)
  init(_ segment: RawSpan) {
    sequence = segment.u32(at: 4)
    acknowledgement = segment.u32(at: 8)
    flags = TCPFlags(rawValue: segment.byte(at: 13))
    window = segment.u16(at: 14)
    urgentPointer = segment.u16(at: 18)
  }

  /// What is odd about the flags, and about the payload beside them.
  @inline(__always)
  func oddities(hasPayload: Bool) -> WireOddities {
    var result: WireOddities = []
    if flags.contains(.syn) {
      if hasPayload { result.insert(.synWithData) }
      if !flags.isDisjoint(with: [.fin, .rst]) { result.insert(.oddFlags) }
    } else if flags.isDisjoint(with: [.ack, .rst, .fin]) {
      result.insert(.oddFlags)
    }
    if flags.contains(.urg) { result.insert(.urgentData) }
    return result
  }

  /// Walks the options of a header of `headerLength` bytes: false when one runs past it or is shorter than its own
  /// two bytes. What the capture cut off is not judged.
  @inline(__always)
  static func optionsAreWellFormed(_ segment: RawSpan, headerLength: Int) -> Bool {
    // Nearly every segment of a modern connection: NOP, NOP, timestamps.
    if headerLength == 32, segment.byteCount >= 32, segment.u32(at: 20) == 0x0101_080a { return true }
    return walkOptions(segment, headerLength: headerLength)
  }

  private static func walkOptions(_ segment: RawSpan, headerLength: Int) -> Bool {
    let end = min(headerLength, segment.byteCount)
    var offset = fixedLength
    while offset < end {
      let kind = segment.byte(at: offset)
      if kind == 0 { return true }
      if kind == 1 {
        offset += 1
        continue
      }
      guard offset + 1 < end else { return end < headerLength }
      let length = Int(segment.byte(at: offset + 1))
      guard length >= 2, offset + length <= headerLength else { return false }
      offset += length
    }
    return true
  }
}
