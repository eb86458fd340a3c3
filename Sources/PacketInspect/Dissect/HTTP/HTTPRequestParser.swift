/// Reading the head of an HTTP/1.x request (RFC 9112), as the most permissive server would: what some server takes
/// for a request is taken for one here, and marked where RFC 9112 would have none of it.
extension HTTPRequestHead {
  /// Reads `stream`, which may begin with a request and holds as many contiguous bytes as have arrived.
  ///
  /// `complete(length:)` counts to the end of the empty line. `head` is emptied first; after `needMore` it holds what
  /// the complete lines so far said. One pass, linear in the bytes given; the cap on a head without an end is the
  /// caller's. HTTP/0.9 and the HTTP/2 preface are `notThisProtocol`.
  public static func parse(_ stream: RawSpan, into head: inout HTTPRequestHead) -> StreamDissection {
    head.reset()
    let line: HTTPRequestLine
    switch HTTPRequestLine.parse(stream) {
    case .needMore: return .needMore
    case .notThisProtocol: return .notThisProtocol
    case .line(let parsed): line = parsed
    }
    head.take(line, stream)
    var framing = HTTPFraming()
    var offset = line.end
    while true {
      guard let field = HTTPFieldLine.next(stream, from: offset, &head.oddities) else { return .needMore }
      offset = field.end
      if field.isEmpty { break }
      // White space before the first field would make it a continuation of the request line; servers either skip it
      // or read it as a field.
      head.take(field, stream, &framing)
      // A server that knows no folding reads each of the lines as a field.
      HTTPFieldLine.forEachField(stream, in: field.folded) { head.take($0, stream, &framing) }
    }
    head.length = offset
    head.mixesLineEnds = head.oddities.contains(.bareLineFeed) && hasProperLineEnd(stream.extracting(first: offset))
    head.finish(framing)
    return .complete(length: offset)
  }

  private mutating func take(_ line: HTTPRequestLine, _ stream: RawSpan) {
    for index in line.method { method.append(stream.byte(at: index)) }
    minorVersion = line.minorVersion
    targetRange = line.target
    oddities.insert(line.oddities)
    isConnect = line.method.count == 7 && stream.matches(HTTPWord.connect, at: line.method.lowerBound)
    guard let range = HTTPAuthority.range(inTarget: line.target, stream, isConnect: isConnect) else { return }
    let authority = HTTPAuthority(stream, range)
    setTargetHost(authority, stream)
    port = authority.port
    if authority.isOdd { oddities.insert(.ambiguousHost) }
  }

  private static func hasProperLineEnd(_ head: RawSpan) -> Bool {
    var index = 1
    while index < head.byteCount {
      if head.byte(at: index) == 0x0a, head.byte(at: index - 1) == 0x0d { return true }
      index += 1
    }
    return false
  }

  private mutating func take(_ field: HTTPFieldLine, _ stream: RawSpan, _ framing: inout HTTPFraming) {
    switch field.name.count {
    case 4 where stream.matches(HTTPWord.host, at: field.name.lowerBound):
      takeHost(field.value, stream, &framing)
    case 7 where stream.matches(HTTPWord.upgrade, at: field.name.lowerBound):
      if !field.value.isEmpty { framing.hasUpgrade = true }
      HTTPFieldLine.forEachElement(stream, field.value) { element in
        if element.count == 9, stream.matches(HTTPWord.webSocket, at: element.lowerBound) {
          framing.hasWebSocket = true
        }
      }
    case 10 where stream.matches(HTTPWord.connection, at: field.name.lowerBound):
      HTTPFieldLine.forEachElement(stream, field.value) { element in
        if element.count == 7, stream.matches(HTTPWord.upgrade, at: element.lowerBound) {
          framing.connectionUpgrade = true
        }
      }
    case 12 where stream.matches(HTTPWord.contentType, at: field.name.lowerBound):
      if contentType == .none { contentType = ContentTypeFamily(stream, field.value) }
    case 14 where stream.matches(HTTPWord.contentLength, at: field.name.lowerBound):
      if field.hasSpacedName { framing.takeSpacedName() }
      framing.takeLength(stream, field.value)
    case 17 where stream.matches(HTTPWord.transferEncoding, at: field.name.lowerBound):
      if field.hasSpacedName { framing.takeSpacedName() }
      framing.takeEncoding(stream, field.value)
    default:
      break
    }
  }

  private mutating func takeHost(_ value: Range<Int>, _ stream: RawSpan, _ framing: inout HTTPFraming) {
    if framing.hasHost { oddities.insert(.ambiguousHost) }
    framing.hasHost = true
    guard !value.isEmpty else { return }
    let authority = HTTPAuthority(stream, value)
    if authority.isOdd || authority.hasUserInfo { oddities.insert(.ambiguousHost) }
    setHost(authority, stream)
    if let hostPort = authority.port {
      if let port, hasTargetHost, port != hostPort { oddities.insert(.ambiguousHost) }
      if port == nil { port = hostPort }
    }
  }

  /// What can only be said once all fields are known (RFC 9112 section 6.3).
  private mutating func finish(_ framing: HTTPFraming) {
    asksUpgrade = framing.hasUpgrade && framing.connectionUpgrade
    asksWebSocket = asksUpgrade && framing.hasWebSocket
    if framing.isAmbiguous(minorVersion: minorVersion) { oddities.insert(.ambiguousLength) }
    let isHidden = mixesLineEnds || oddities.contains(.foldedHeader)
    if !isConnect, isHidden || oddities.contains(.ambiguousLength) { contest = framing.contest(isHidden: isHidden) }
    // A CONNECT has no body: what follows belongs to the tunnel.
    if isConnect {
      if framing.body != .none { oddities.insert(.ambiguousLength) }
      body = .none
    } else {
      body = framing.body
    }
  }
}
