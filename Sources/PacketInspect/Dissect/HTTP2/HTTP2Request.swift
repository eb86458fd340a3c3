/// What one header block of an HTTP/2 client says of its destination (RFC 9113 section 8.3.1).
package struct HTTP2Request: Sendable {
  /// `:method`; empty in trailers, which are no request.
  private(set) var method: [UInt8] = []
  /// `:authority`, as sent.
  package private(set) var authority: [UInt8] = []
  /// A `host` field, as sent.
  private(set) var host: [UInt8] = []
  /// `:protocol` of an extended CONNECT (RFC 8441): "websocket" and others.
  private(set) var protocolName: [UInt8] = []
  /// True when `:authority` or `host` came twice, or was longer than is kept.
  private(set) var isOdd = false

  /// An empty one.
  package init() {}

  /// Back to nothing.
  mutating func reset() {
    method.removeAll(keepingCapacity: true)
    authority.removeAll(keepingCapacity: true)
    host.removeAll(keepingCapacity: true)
    protocolName.removeAll(keepingCapacity: true)
    isOdd = false
  }

  /// Takes one field. Of several the first counts; servers refuse such a request.
  mutating func take(_ field: HPACKDecoder.Field, _ value: [UInt8], length: Int) {
    switch field {
    case .method: if method.isEmpty { method = value }
    case .authority: take(value, length, into: \.authority)
    case .host: take(value, length, into: \.host)
    case .protocol: if protocolName.isEmpty { protocolName = value }
    case .scheme, .path, .other: break
    }
  }

  private mutating func take(_ value: [UInt8], _ length: Int, into place: WritableKeyPath<HTTP2Request, [UInt8]>) {
    if length > value.count { isOdd = true }
    if self[keyPath: place].isEmpty {
      self[keyPath: place] = value
    } else if self[keyPath: place] != value {
      isOdd = true
    }
  }
}

extension HTTPRequestHead {
  /// Becomes the head that says what `request` says: `:authority` stands for Host, and a `host` field that differs from
  /// it for another Host.
  mutating func take(_ request: HTTP2Request) {
    reset()
    isHTTP2 = true
    method.append(contentsOf: request.method.prefix(HTTPMethod.maximumLength))
    isConnect = request.method == Array("CONNECT".utf8)
    if request.protocolName == Array("websocket".utf8) { asksWebSocket = true }
    if request.isOdd { oddities.insert(.ambiguousHost) }
    for text in [request.authority, request.host] where !text.isEmpty {
      let span = text.rawSpan
      let authority = HTTPAuthority(span, 0..<span.byteCount)
      if authority.isOdd || authority.hasUserInfo { oddities.insert(.ambiguousHost) }
      setHost(authority, span)
      if port == nil { port = authority.port }
    }
    if otherHost != nil { oddities.insert(.ambiguousHost) }
  }
}
