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
      let cut = HTTPRequestHead.parse(bytes.extracting(0..<length - 1), into: &head)
      demand(cut == .needMore, "a head without its last byte is not awaited")
    }
    chunks(bytes)
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
