/// The head of an HTTP/1.x request (RFC 9112): what identifies its destination and where its body ends.
/// Header values other than Host, and the target, are never kept here; `targetRange` says where the target stood.
public struct HTTPRequestHead: Sendable {
  /// The method's bytes, at most 32.
  public var method: [UInt8]
  /// The minor version: 0 or 1 (others as sent).
  public var minorVersion: UInt8
  /// Host header without port, lower-case; nil when absent or empty.
  public var host: HostName? {
    get { hasHost ? hostBytes : nil }
    set {
      hasHost = newValue != nil
      if let newValue { hostBytes = newValue }
    }
  }
  /// A second Host that names another host than the first: servers differ in which they obey.
  public var otherHost: HostName? {
    get { hasOtherHost ? otherHostBytes : nil }
    set {
      hasOtherHost = newValue != nil
      if let newValue { otherHostBytes = newValue }
    }
  }
  /// The authority of an absolute-form or CONNECT target, without port and userinfo; nil for origin-form.
  public var targetHost: HostName? {
    get { hasTargetHost ? targetHostBytes : nil }
    set {
      hasTargetHost = newValue != nil
      if let newValue { targetHostBytes = newValue }
    }
  }
  /// Port in the target's authority, else in Host; nil when neither has one.
  public var port: UInt16?
  /// True for CONNECT: what follows is another protocol's stream.
  public var isConnect: Bool
  /// Where the target stood in the bytes that were parsed.
  public var targetRange: Range<Int>
  /// How the body is framed.
  public var body: HTTPBodyFraming
  /// The ends of the body among which servers may choose; nil where they agree on what `body` says.
  public var contest: ContestedBody?
  /// True when some lines end in bare line feeds and others properly: one server reads lines that another does not.
  public var mixesLineEnds = false
  /// The family of the body's declared type: the first Content-Type counts.
  public var contentType: ContentTypeFamily
  /// True when the client asks for another protocol on this connection (Upgrade with Connection: upgrade).
  public var asksUpgrade: Bool
  /// True when that protocol is WebSocket (RFC 6455 section 4.1, RFC 8441 section 4).
  public var asksWebSocket = false
  /// True for a request over HTTP/2 (RFC 9113), whose `:authority` stands in `host`.
  public var isHTTP2 = false
  /// What was odd.
  public var oddities: Oddities
  /// Length of the head including the empty line, in bytes.
  public var length: Int

  // The names are kept from head to head and written in place: moving them about costs more than reading them.
  private var hostBytes = HostName()
  private var otherHostBytes = HostName()
  private var targetHostBytes = HostName()
  private(set) var hasHost: Bool
  private(set) var hasOtherHost: Bool
  private(set) var hasTargetHost: Bool

  /// The destination's name: the target's authority before Host (RFC 9112 section 3.2.2).
  public var destinationName: HostName? { targetHost ?? host }

  /// An empty head.
  public init() {
    method = []
    minorVersion = 1
    hasHost = false
    hasOtherHost = false
    hasTargetHost = false
    port = nil
    isConnect = false
    targetRange = 0..<0
    body = .none
    contentType = .none
    asksUpgrade = false
    oddities = []
    length = 0
  }

  /// Back to an empty head, keeping the method's storage for the next one.
  public mutating func reset() {
    method.removeAll(keepingCapacity: true)
    minorVersion = 1
    hasHost = false
    hasOtherHost = false
    hasTargetHost = false
    port = nil
    isConnect = false
    targetRange = 0..<0
    body = .none
    contentType = .none
    asksUpgrade = false
    asksWebSocket = false
    isHTTP2 = false
    contest = nil
    mixesLineEnds = false
    oddities = []
    length = 0
  }
}

extension HTTPRequestHead {
  /// Takes the target's host.
  mutating func setTargetHost(_ authority: HTTPAuthority, _ stream: RawSpan) {
    hasTargetHost = authority.readName(stream, into: &targetHostBytes)
    if !hasTargetHost, !authority.host.isEmpty { oddities.insert(.ambiguousHost) }
    if hasTargetHost, targetHostBytes.hasOddBytes { oddities.insert(.oddNameBytes) }
  }

  /// Takes the host of a Host field: the first one, or the first that differs from it.
  mutating func setHost(_ authority: HTTPAuthority, _ stream: RawSpan) {
    if hasHost {
      var next = HostName()
      guard authority.readName(stream, into: &next), next != hostBytes, !hasOtherHost else { return }
      otherHost = next
      return
    }
    hasHost = authority.readName(stream, into: &hostBytes)
    guard hasHost else {
      if !authority.host.isEmpty { oddities.insert(.ambiguousHost) }
      return
    }
    if hostBytes.hasOddBytes { oddities.insert(.oddNameBytes) }
    if hasTargetHost, targetHostBytes != hostBytes { oddities.insert(.ambiguousHost) }
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
