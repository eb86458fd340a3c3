extension Inspector {
  /// The shape of the request in hand; its head has been parsed from the stream.
  mutating func readShape(_ index: Int32, _ outcome: ContactOutcome) -> RequestShape {
    var shape = RequestShape()
    let stream = flows[index].stream
    let threshold = sessions[flows[index].session].shapePolicy.encodedTokenLength
    let expectsDigests = outcome.destination?.category.map { Self.servesDigests.contains($0) } ?? false
    streams[stream].withRest { bytes in
      if !head.isConnect {
        shape.read(
          target: head.targetRange, in: bytes, threshold: threshold, expectsDigests: expectsDigests,
          scratch: &scratch)
      }
      if head.body != .none { shape.readBody(bytes, from: head.length, isChunked: head.body == .chunked) }
    }
    shape.contentType = head.contentType
    switch head.body {
    case .none: shape.bodyLength = 0
    case .length(let length): shape.bodyLength = length
    case .chunked: shape.bodyLength = nil
    }
    return shape
  }

  /// Categories whose destinations have digests in their paths by design.
  private static var servesDigests: [String] { ["package-registry", "cdn", "code-hosting"] }

  /// Flags long encoded tokens that a request to an external destination carries, on the very request.
  mutating func raiseShapeFlags<Sink: EventSink>(
    _ shape: RequestShape, _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard shape.encodedPath != nil || shape.encodedQuery != nil, let destination = outcome.destination,
      destination.isExternal
    else { return }
    for (kind, place, token) in [
      (FlagKind.encodedPath, TokenPlace.path, shape.encodedPath), (.encodedQuery, .query, shape.encodedQuery),
    ] {
      let session = outcome.asker ?? flows[index].session
      guard let token, sessions[session].shapeFlags.admit(kind, keyedHash(destination.key), at: now) else { continue }
      let threshold = sessions[session].shapePolicy.encodedTokenLength
      let looks = token.looks(threshold)
      raise(
        kind,
        "A request to \(destination.key) carries \(token.length) characters of \(token.encoding.rawValue) in its "
          + "\(place.rawValue). \(looks)",
        [
          FlagEvidence("destination", destination.key), FlagEvidence("encoding", token.encoding.rawValue),
          FlagEvidence("characters", token.length), FlagEvidence("threshold", threshold),
          FlagEvidence("entropy_centibits", token.entropy),
          FlagEvidence("content", token.content == .structured ? "structured" : "uniform"),
        ], outcome, index, now, &sink)
    }
  }

  /// Takes a name that was looked up or claimed into the session's activity, and flags what tunnels look like.
  mutating func noteName<Sink: EventSink>(
    _ name: HostName, type: UInt16?, _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard policy.isExternal(name), case .domain(let domain) = destinationKey(name) else { return }
    let registrable = domain.utf8.count
    guard registrable < name.count else { return }
    let session = outcome.asker ?? flows[index].session
    let shape = NameShape(name, registrable: registrable)
    let finding = sessions[session].names.take(
      shape, domain: keyedHash(name, from: name.count - registrable), name: keyedHash(name, from: 0),
      isDataType: type.map { Self.carriesData($0) } ?? false, sessions[session].shapePolicy, at: now)
    guard let finding else { return }
    raise(finding, shape, domain, outcome, index, now, &sink)
  }

  private mutating func raise<Sink: EventSink>(
    _ finding: NameActivity.Finding, _ shape: NameShape, _ domain: String, _ outcome: ContactOutcome, _ index: Int32,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    let session = outcome.asker ?? flows[index].session
    let activity = finding.activity
    let window = sessions[session].shapePolicy.labelWindow / 1_000_000_000
    let figures = [
      FlagEvidence("domain", domain), FlagEvidence("names", Int(activity.names)),
      FlagEvidence("distinct_names", finding.distinct), FlagEvidence("encoded_names", Int(activity.encodedNames)),
      FlagEvidence("encoded_characters", Int(activity.encodedCharacters)),
      FlagEvidence("longest_label", Int(activity.longestLabel)), FlagEvidence("data_types", Int(activity.dataTypes)),
      FlagEvidence("window_seconds", Int(window)),
    ]
    if finding.isEncoded {
      raise(
        .encodedHost,
        "\(activity.encodedCharacters) encoded characters in \(activity.encodedNames) different names under \(domain): "
          + "the shape of a tunnel through DNS.",
        figures, outcome, index, now, &sink)
    }
    if finding.isText {
      raise(
        .encodedHost,
        shape.carriesText
          ? "Labels of a name under \(domain) decode to text: the name itself is data."
          : "A name under \(domain) has \(shape.uniformLabels) hexadecimal labels of one length: data cut in pieces.",
        [
          FlagEvidence("domain", domain), FlagEvidence("labels", shape.labels),
          FlagEvidence("longest_label", shape.longestLabel), FlagEvidence("uniform_labels", shape.uniformLabels),
          FlagEvidence("content", shape.carriesText ? "structured" : "uniform"),
        ], outcome, index, now, &sink)
    }
    if finding.isBurst {
      raise(
        .labelBurst, "About \(finding.distinct) different names under \(domain) within \(window) seconds.", figures,
        outcome, index, now, &sink)
    }
  }

  /// Record types that carry data of the server's choice and that clients rarely ask for: CNAME, NULL, MX, TXT, SIG,
  /// KEY, SRV, and those for private use (RFC 6895 section 3.1).
  private static func carriesData(_ type: UInt16) -> Bool {
    switch type {
    case 5, 10, 15, 16, 24, 25, 33, 65_280...65_534: true
    default: false
    }
  }

  /// A hash that agents cannot choose the value of, of a name's bytes from an offset on.
  private func keyedHash(_ name: HostName, from start: Int) -> UInt64 {
    let bytes = name.span
    var hash = seed
    for index in start..<bytes.count {
      hash = (hash ^ UInt64(bytes[index])) &* 0x9fb2_1c65_1e98_df25
      hash ^= hash >> 29
    }
    return hash
  }

  private func keyedHash(_ text: String) -> UInt64 {
    var hash = seed
    for byte in text.utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x9fb2_1c65_1e98_df25
      hash ^= hash >> 29
    }
    return hash
  }
}

extension RequestShape {
  /// Looks at the body's first bytes, as far as they came with the head: nothing is held for them.
  mutating func readBody(_ bytes: RawSpan, from start: Int, isChunked: Bool) {
    guard start < bytes.byteCount else { return }
    var begin = start
    if isChunked {
      // The size of the first chunk stands before it (RFC 9112 section 7.1).
      let end = min(bytes.byteCount, start + 64)
      guard let lineFeed = bytes.firstIndex(of: 0x0a, from: start, to: end) else { return }
      begin = lineFeed + 1
    }
    bodyEncoding = BodyEncoding(bytes, begin..<bytes.byteCount)
  }
}

extension TokenShape {
  /// Why a token is flagged.
  fileprivate func looks(_ threshold: Int) -> String {
    if encoding == .percent, content == .structured { return "Most of them stand for what needs no encoding." }
    if length < threshold { return "All that they decode to is printable text." }
    return "\(threshold) are flagged." + (content == .structured ? " They decode to text or a known file format." : "")
  }
}
