/// The head of an HTTP/1.x request (RFC 9112): what identifies its destination and where its body ends.
/// Header values other than Host, and the target, are never kept here; `targetRange` says where the target stood.
public struct HTTPRequestHead: Sendable {
  /// The method's bytes, at most 32.
  public var method: [UInt8]
  /// The minor version: 0 or 1 (others as sent).
  public var minorVersion: UInt8
  /// Host header without port, lower-case; nil when absent or empty.
  public var host: HostName?
  /// A second Host that names another host than the first: servers differ in which they obey.
  public var otherHost: HostName?
  /// The authority of an absolute-form or CONNECT target, without port and userinfo; nil for origin-form.
  public var targetHost: HostName?
  /// Port in the target's authority, else in Host; nil when neither has one.
  public var port: UInt16?
  /// True for CONNECT: what follows is another protocol's stream.
  public var isConnect: Bool
  /// Where the target stood in the bytes that were parsed.
  public var targetRange: Range<Int>
  /// How the body is framed.
  public var body: HTTPBodyFraming
  /// True when the client asks for another protocol on this connection (Upgrade with Connection: upgrade).
  public var asksUpgrade: Bool
  /// What was odd.
  public var oddities: Oddities
  /// Length of the head including the empty line, in bytes.
  public var length: Int

  /// The destination's name: the target's authority before Host (RFC 9112 section 3.2.2).
  public var destinationName: HostName? { targetHost ?? host }

  /// An empty head.
  public init() {
    method = []
    minorVersion = 1
    host = nil
    otherHost = nil
    targetHost = nil
    port = nil
    isConnect = false
    targetRange = 0..<0
    body = .none
    asksUpgrade = false
    oddities = []
    length = 0
  }

  /// Back to an empty head, keeping the method's storage for the next one.
  public mutating func reset() {
    method.removeAll(keepingCapacity: true)
    minorVersion = 1
    host = nil
    otherHost = nil
    targetHost = nil
    port = nil
    isConnect = false
    targetRange = 0..<0
    body = .none
    asksUpgrade = false
    oddities = []
    length = 0
  }
}

/// How a request's body ends (RFC 9112 section 6.3).
public enum HTTPBodyFraming: Hashable, Sendable {
  /// No body.
  case none
  /// Exactly this many bytes.
  case length(UInt64)
  /// Chunks until the last one.
  case chunked
}
