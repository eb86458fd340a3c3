import PacketInspect

/// The dissectors one by one, with what each promises about its answer.
enum DissectorEntries {
  static func wire(_ bytes: RawSpan) {
    guard let view = try? PacketView.parse(bytes) else { return }
    demand(view.payload.byteCount <= bytes.byteCount, "a payload is longer than its packet")
    demand(view.transportOffset >= 0 && view.claimedLength >= 0, "a packet has a negative length")
    _ = view.transportChecksumIsValid(bytes)
    _ = PacketView.headerChecksumIsValid(bytes)
    // A jumbogram that lies about its length has no more payload than there is.
    demand(view.claimedPayloadLength >= 0, "a payload has a negative length")
    if let fragment = view.fragment { demand(fragment.offset >= 0, "a fragment has a negative offset") }
    _ = view.source.description
    _ = view.destination.canonical
  }

  static func tls(_ bytes: RawSpan) {
    var hello = ClientHello()
    var scratch: [UInt8] = []
    let whole = TLSHello.parse(bytes, into: &hello, scratch: &scratch)
    check(whole, bytes)
    read(hello)
    // What fits so far must still fit when less of it has come: a verdict may not depend on how a hello is cut.
    if case .complete(let length) = whole {
      for part in [length - 1, length / 2, 1] where part < length {
        let cut = TLSHello.parse(bytes.extracting(0..<part), into: &hello, scratch: &scratch)
        demand(cut == .needMore, "the beginning of a whole hello is no beginning")
      }
    }
    check(TLSHello.parseMessage(bytes, into: &hello), bytes)
    read(hello)
    _ = Classifier.couldBe(bytes)
    _ = Classifier.couldBe(bytes, midstream: true)
  }

  static func quic(_ bytes: RawSpan) {
    _ = QUICDatagram.unreadableVersion(of: bytes)
    var stream = CryptoStream()
    var hello = ClientHello()
    var plain: [UInt8] = []
    let cryptography = ClearCryptography()
    var offset = 0
    while let header = try? QUICLongHeader(bytes, at: offset) {
      demand(header.end > offset && header.end <= bytes.byteCount, "a QUIC packet ends outside its datagram")
      demand(header.packetNumberOffset <= header.end, "a packet number lies behind its packet")
      offset = header.end
      guard header.type == .initial,
        let keys = cryptography.clientInitialKeys(
          version: header.version, destinationConnectionID: header.destination.bytes),
        QUICInitial.open(header, in: bytes, keys: keys, largest: nil, by: cryptography, into: &plain) != nil
      else { continue }
      _ = QUICInitial.collect(plain.rawSpan, into: &stream)
      while case .complete(let length) = stream.withUnparsed({ TLSHello.parseMessage($0, into: &hello) }) {
        demand(length > 0, "a hello has no length")
        stream.markParsed(length)
        read(hello)
      }
      demand(stream.heldBytes <= stream.parsed + CryptoStream.window, "a CRYPTO stream holds more than its window")
    }
    // The same bytes as frames: most of what a fuzzer makes is no header.
    _ = QUICInitial.collect(bytes, into: &stream)
  }

  static func dns(_ bytes: RawSpan) {
    _ = DNSMessage.looksLikeQuery(bytes)
    _ = DNSMessage.looksLikeResponse(bytes)
    _ = DNSMessage.tcpLength(bytes)
    var message = DNSMessage()
    guard DNSMessage.parse(bytes, into: &message) == nil else { return }
    demand(message.questions.count <= DNSMessage.maximumQuestions, "a message has too many questions")
    demand(message.answers.count <= DNSMessage.maximumAnswers, "a message has too many answers")
    for question in message.questions { read(question.name) }
    for answer in message.answers { read(answer.name) }
  }

  static func http(_ bytes: RawSpan) {
    var head = HTTPRequestHead()
    let result = HTTPRequestHead.parse(bytes, into: &head)
    check(result, bytes)
    if case .complete(let length) = result {
      demand(head.targetRange.upperBound <= length, "a request's target lies behind its head")
      _ = bytes.extracting(head.targetRange).byteCount
      for name in [head.host, head.otherHost, head.targetHost] { if let name { read(name) } }
      chunks(bytes.extracting(droppingFirst: length))
      if let contest = head.contest { read(contest, bytes.extracting(droppingFirst: length)) }
      let cut = HTTPRequestHead.parse(bytes.extracting(0..<length - 1), into: &head)
      demand(cut == .needMore, "a head without its last byte is not awaited")
    }
    chunks(bytes)
  }

  /// Each look at a contested body is its last one or moves on inside the bytes.
  private static func read(_ contest: ContestedBody, _ bytes: RawSpan) {
    var contest = contest
    var offset = 0
    while case .pass(let count) = contest.next(bytes.extracting(droppingFirst: offset)) {
      demand(count > 0 && count <= bytes.byteCount - offset, "a contested body does not move on, or leaves its bytes")
      offset += count
    }
  }

  /// The requests of a client, whose frames are the same however they come.
  static func http2(_ bytes: RawSpan) {
    let whole = authorities(bytes, step: max(1, bytes.byteCount))
    guard bytes.byteCount <= 512 else { return }
    demand(authorities(bytes, step: 1) == whole, "requests over HTTP/2 depend on how they are cut")
  }

  private static func authorities(_ bytes: RawSpan, step: Int) -> [[UInt8]] {
    var reader = HTTP2Reader()
    var request = HTTP2Request()
    var block: [UInt8] = []
    var found: [[UInt8]] = []
    var offset = 0
    var known = 0
    while offset <= bytes.byteCount {
      switch reader.next(bytes.extracting(min(offset, known)..<known), into: &request, block: &block) {
      case .needMore:
        guard known < bytes.byteCount else { return found }
        known = min(bytes.byteCount, max(known, offset) + step)
      case .skip(let head, let payload):
        demand(head > 0 && head <= known - offset && payload >= 0, "a frame has no length, or its head is not there")
        offset += head + payload
        known = max(known, min(offset, bytes.byteCount))
      case .request(let length), .trailers(let length):
        demand(length > 0 && length <= known - offset, "a header block is longer than its bytes")
        found.append(request.authority)
        offset += length
      case .malformed: return found
      }
      demand(reader.tableSize <= 65_536, "a dynamic table is larger than its cap")
    }
    return found
  }

  /// The target that a proxy is asked for, which is the same however the bytes come.
  static func socks(_ bytes: RawSpan) {
    guard bytes.byteCount > 0, SOCKSReader.begins(bytes) else { return }
    let whole = target(bytes, step: bytes.byteCount)
    demand(target(bytes, step: 1) == whole, "what a proxy is asked for depends on how it is cut")
  }

  private static func target(_ bytes: RawSpan, step: Int) -> (HostName?, Int) {
    var reader = SOCKSReader()
    var offset = 0
    var known = step
    while true {
      switch reader.next(bytes.extracting(offset..<known)) {
      case .needMore:
        guard known < bytes.byteCount else { return (nil, offset) }
        known = min(bytes.byteCount, known + step)
      case .pass(let length):
        demand(length > 0 && length <= known - offset, "a message is longer than its bytes")
        offset += length
      case .request(let length, let target):
        demand(length > 0 && length <= known - offset, "a request is longer than its bytes")
        if let target { read(target) }
        return (target, offset + length)
      case .notThisProtocol: return (nil, -1)
      }
    }
  }

  /// A chunked body ends at the same place whether it comes whole or byte by byte.
  private static func chunks(_ bytes: RawSpan) {
    var whole = ChunkedBodySkipper()
    let used = whole.consume(bytes)
    demand(used <= bytes.byteCount, "a body is longer than its bytes")
    var piecemeal = ChunkedBodySkipper()
    var total = 0
    while total < min(bytes.byteCount, 512) {
      let step = piecemeal.consume(bytes.extracting(total..<total + 1))
      guard step > 0 else { break }
      total += step
    }
    if bytes.byteCount <= 512 { demand(total == used, "a chunked body depends on how it is cut") }
  }

  private static func check(_ result: StreamDissection, _ bytes: RawSpan) {
    if case .complete(let length) = result {
      demand(length > 0 && length <= bytes.byteCount, "a message is longer than its stream")
    }
  }

  private static func read(_ hello: ClientHello) {
    if let name = hello.serverName { read(name) }
    demand(JA4.fingerprint(hello, transport: "t", digest: NoDigest()).utf8.count == 36, "JA4 has no 36 characters")
  }

  private static func read(_ name: HostName) {
    demand(name.count <= HostName.maximumLength, "a name is too long")
    demand(!name.text.isEmpty || name.count == 0, "a name has bytes and no text")
    for start in name.labelStarts { _ = name.suffix(name.count - start) }
  }
}
