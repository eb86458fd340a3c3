/// Reads what a client says to a SOCKS proxy up to the request that names its target: versions 4 and 4a, and version 5
/// (RFC 1928) with user names (RFC 1929).
///
/// Only the client's side is read: what the proxy chose shows in what comes next. Behind GSSAPI nothing can be read.
public struct SOCKSReader: Sendable {
  /// What comes next in the bytes.
  package enum Step {
    /// A part of it is still to come.
    case needMore
    /// So many bytes that name nobody: the offer of methods, or a user name.
    case pass(Int)
    /// The request, and the target that it names; nil where that is no usable name.
    case request(length: Int, target: HostName?)
    /// Not SOCKS, or nothing that names a target (UDP ASSOCIATE).
    case notThisProtocol
  }

  /// Bytes of a user name or host that end in zero (version 4): as long as those that a length byte counts.
  private static let longestText = 255

  /// True once version 5 offered its methods.
  private var hasOffered = false

  /// At the start of a connection.
  public init() {}

  /// True when `bytes`, the first of a stream, may be a client's of SOCKS; both versions open with their number.
  package static func begins(_ bytes: RawSpan) -> Bool {
    guard bytes.byteCount > 0 else { return false }
    let second = bytes.byteCount > 1 ? bytes.byte(at: 1) : 1
    switch bytes.byte(at: 0) {
    case 4: return second == 1 || second == 2
    case 5: return second > 0
    default: return false
    }
  }

  /// Reads the message at the start of `bytes`, the connection's next ones.
  package mutating func next(_ bytes: RawSpan) -> Step {
    var reader = PacketReader(bytes)
    do throws(ParseError) {
      switch try reader.u8() {
      case 4 where !hasOffered: return try Self.versionFour(&reader)
      case 5 where !hasOffered:
        try reader.skip(Int(try reader.u8()))
        hasOffered = true
        return .pass(reader.offset)
      case 5: return try Self.versionFive(&reader)
      case 1 where hasOffered:
        for _ in 0..<2 { try reader.skip(Int(try reader.u8())) }
        return .pass(reader.offset)
      default: return .notThisProtocol
      }
    } catch {
      return error == .truncated ? .needMore : .notThisProtocol
    }
  }

  /// Command, port, address, user name; in 4a, where the address is 0.0.0.x, a host after it.
  private static func versionFour(_ reader: inout PacketReader) throws(ParseError) -> Step {
    guard (1...2).contains(try reader.u8()) else { return .notThisProtocol }
    try reader.skip(2)
    let address = try reader.u32()
    guard try text(&reader) != nil else { return .notThisProtocol }
    guard address >> 8 == 0, address != 0 else {
      return .request(length: reader.offset, target: HostName(IPAddress(v4: address).description))
    }
    guard let host = try text(&reader) else { return .notThisProtocol }
    return .request(length: reader.offset, target: HostName(host.rawSpan))
  }

  /// Command, a reserved byte, and an address in one of three forms (RFC 1928 sections 4 and 5).
  private static func versionFive(_ reader: inout PacketReader) throws(ParseError) -> Step {
    guard (1...2).contains(try reader.u8()) else { return .notThisProtocol }
    try reader.skip(1)
    let target: HostName?
    switch try reader.u8() {
    case 1: target = HostName(IPAddress(v4: try reader.u32()).description)
    case 3: target = HostName(try reader.span(Int(try reader.u8())))
    case 4:
      let high = try UInt64(reader.u32()) << 32 | UInt64(reader.u32())
      let low = try UInt64(reader.u32()) << 32 | UInt64(reader.u32())
      target = HostName(IPAddress(v6High: high, low: low).description)
    default: return .notThisProtocol
    }
    try reader.skip(2)
    return .request(length: reader.offset, target: target)
  }

  /// Bytes up to a zero; nil when there are too many.
  private static func text(_ reader: inout PacketReader) throws(ParseError) -> [UInt8]? {
    var bytes: [UInt8] = []
    while case let byte = try reader.u8(), byte != 0 {
      guard bytes.count < longestText else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
