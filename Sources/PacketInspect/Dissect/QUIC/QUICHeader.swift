/// What a long header's type bits mean (RFC 9000 section 17.2; version 2 numbers them anew, RFC 9369 section 3.2).
public enum QUICPacketType: UInt8, Sendable {
  /// Carries the ClientHello.
  case initial = 0
  /// Early data.
  case zeroRTT = 1
  /// The rest of the handshake.
  case handshake = 2
  /// Sent by servers only.
  case retry = 3
}

/// The long header of one packet in a datagram, as offsets into the datagram (RFC 9000 section 17.2).
public struct QUICLongHeader: Sendable {
  /// Its version, one that can be read.
  public let version: QUICVersion
  /// Its type.
  public let type: QUICPacketType
  /// Destination Connection ID.
  public let destination: QUICConnectionID
  /// Source Connection ID.
  public let source: QUICConnectionID
  /// True for an Initial packet with a token: from a Retry, or from an earlier connection.
  public let hasToken: Bool
  /// Where the packet begins.
  public let start: Int
  /// Where the protected packet number begins.
  public let packetNumberOffset: Int
  /// Where the packet ends and the next one may begin.
  public let end: Int

  /// Reads the header at `start`.
  ///
  /// Throws `notThisProtocol` for a short header, padding, or a version that cannot be read; `badLength` when a
  /// connection ID is too long or the packet claims more than the datagram holds; `truncated` when it ends early.
  /// The fixed bit is not asked for: clients may grease it (RFC 9287).
  public init(_ datagram: RawSpan, at start: Int) throws(ParseError) {
    guard start >= 0, start < datagram.byteCount else { throw .truncated }
    var reader = PacketReader(datagram)
    try reader.skip(start)
    let first = try reader.u8()
    guard first & 0x80 != 0, let version = QUICVersion(try reader.u32()) else { throw .notThisProtocol }
    let destinationLength = Int(try reader.u8())
    guard let destination = QUICConnectionID(try reader.span(destinationLength)) else { throw .badLength }
    let sourceLength = Int(try reader.u8())
    guard let source = QUICConnectionID(try reader.span(sourceLength)) else { throw .badLength }
    // Version 2 moves every type one up, Retry to zero.
    let bits = (first >> 4) & 3
    guard let type = QUICPacketType(rawValue: version.isSecondGeneration ? (bits &- 1) & 3 : bits) else {
      throw .badValue
    }
    self.version = version
    self.type = type
    self.destination = destination
    self.source = source
    self.start = start
    guard type != .retry else {
      hasToken = false
      packetNumberOffset = reader.offset
      end = datagram.byteCount
      return
    }
    var token: UInt64 = 0
    if type == .initial {
      token = try reader.quicVariableInteger()
      guard token <= UInt64(reader.remaining) else { throw .badLength }
      try reader.skip(Int(token))
    }
    hasToken = token > 0
    let length = try reader.quicVariableInteger()
    guard length <= UInt64(reader.remaining) else { throw .badLength }
    packetNumberOffset = reader.offset
    end = reader.offset + Int(length)
  }
}

/// A cheap look at a datagram's first bytes.
public enum QUICDatagram {
  /// Initial packets opened in one datagram, other kinds aside: a client coalesces one, or a few. A datagram with more
  /// is dropped, since a hello behind them would not be seen.
  public static let maximumInitials = 8

  /// The version field of a long header (RFC 8999 section 5.1); nil for anything else.
  @inline(__always)
  public static func version(of datagram: RawSpan) -> UInt32? {
    guard datagram.byteCount >= 7, datagram.byte(at: 0) & 0x80 != 0 else { return nil }
    return datagram.u32(at: 1)
  }

  /// True when the datagram may begin a connection that can be read.
  @inline(__always)
  public static func mayBeginConnection(_ datagram: RawSpan) -> Bool {
    guard let version = version(of: datagram) else { return false }
    return QUICVersion(version) != nil
  }

  /// The version of what looks like the first datagram of a connection whose version cannot be read: fixed bit, a
  /// destination ID of the least length clients may choose, IDs in bounds, and the least size of such a datagram
  /// (RFC 9000 sections 7.2, 14.1 and 17.2). Nil for everything else, version negotiation included.
  public static func unreadableVersion(of datagram: RawSpan) -> UInt32? {
    guard datagram.byteCount >= 1_200, datagram.byte(at: 0) & 0xc0 == 0xc0,
      let version = version(of: datagram), version != 0, QUICVersion(version) == nil
    else { return nil }
    let destination = Int(datagram.byte(at: 5))
    guard destination >= 8, destination <= QUICConnectionID.maximumLength,
      Int(datagram.byte(at: 6 + destination)) <= QUICConnectionID.maximumLength
    else { return nil }
    return version
  }
}

extension PacketReader {
  /// Reads a variable-length integer (RFC 9000 section 16).
  public mutating func quicVariableInteger() throws(ParseError) -> UInt64 {
    let first = try u8()
    var value = UInt64(first & 0x3f)
    for _ in 0..<((1 << Int(first >> 6)) - 1) { value = value << 8 | UInt64(try u8()) }
    return value
  }
}
