/// Writes events as lines of JSON: Suricata's EVE form, with everything that is ours under `egress`
/// (design, section 7). Never a URL, a header value beside Host, or content.
public struct EventEncoder<Digest: SHA256Digest & SHA1Digest> {
  private let digest: Digest
  private let names: NameText
  private let flows = FlowTexts()

  /// An encoder; the digests are for JA4 and the Community ID, `names` writes host names as they may be shown.
  public init(digest: Digest, names: NameText) {
    self.digest = digest
    self.names = names
  }

  /// One line, with its line feed.
  public func line(_ event: Event) -> [UInt8] {
    var bytes: [UInt8] = []
    write(event, to: &bytes)
    return bytes
  }

  /// Adds one line, with its line feed, to `bytes`.
  public func write(_ event: Event, to bytes: inout [UInt8]) {
    var json = JSONWriter(taking: &bytes)
    defer { json.release(to: &bytes) }
    json.open()
    json.member("timestamp", event.time)
    json.member("event_type", event.body.typeName)
    if let flow = event.flow { write(flow, into: &json) }
    write(event.body, event.redaction, into: &json)
    writeEgress(event, into: &json)
    json.close()
    json.newline()
  }

  private func write(_ flow: EventFlow, into json: inout JSONWriter) {
    json.members(flows.text(of: flow, else: text(of:)))
  }

  private func text(of flow: EventFlow) -> [UInt8] {
    var json = JSONWriter()
    json.member("flow_id", flow.id)
    let hasPorts = flow.proto == IPProtocol.tcp.rawValue || flow.proto == IPProtocol.udp.rawValue
    json.member("src_ip", flow.isReply ? flow.server : flow.client)
    if hasPorts { json.member("src_port", flow.isReply ? flow.serverPort : flow.clientPort) }
    json.member("dest_ip", flow.isReply ? flow.client : flow.server)
    if hasPorts { json.member("dest_port", flow.isReply ? flow.clientPort : flow.serverPort) }
    json.member("proto", Self.name(ofProtocol: flow.proto))
    if hasPorts { json.member("community_id", CommunityID.text(flow, digest: digest)) }
    return json.bytes
  }

  private func write(_ body: EventBody, _ redaction: LabelRedaction, into json: inout JSONWriter) {
    switch body {
    case .dnsQuery(let message): write(message, redaction, type: "request", into: &json)
    case .dnsAnswer(let message): write(message, redaction, type: "response", into: &json)
    case .tls(let hello): write(hello, redaction, into: &json)
    case .quic(let version, let hello): write(hello, version: version, redaction, into: &json)
    case .http(let head): write(head, redaction, into: &json)
    case .flow(let summary): write(summary, into: &json)
    case .drop(let length):
      json.key("drop")
      json.open()
      json.member("len", length)
      json.close()
    case .alert(let flag):
      json.key("alert")
      json.open()
      json.member("action", "allowed")
      json.member("gid", 1)
      json.member("signature_id", flag.kind.signatureID)
      json.member("rev", 1)
      json.member("signature", flag.kind.rawValue)
      json.member("category", "agent egress")
      json.member("severity", flag.kind.severity)
      json.close()
    case .stats: break
    }
  }

  private func write(
    _ message: DNSMessage, _ redaction: LabelRedaction, type: String, into json: inout JSONWriter
  ) {
    json.key("dns")
    json.open()
    json.member("version", 3)
    json.member("type", type)
    json.member("tx_id", 0)
    json.member("id", message.id)
    if message.isResponse { json.member("rcode", DNSNames.responseCode(message.responseCode)) }
    json.key("queries")
    json.openArray()
    for question in message.questions {
      json.open()
      names.write(question.name, redaction, as: "rrname", into: &json)
      json.member("rrtype", DNSNames.type(question.type))
      json.close()
    }
    json.closeArray()
    if message.isResponse, !message.answers.isEmpty {
      json.key("answers")
      json.openArray()
      for answer in message.answers {
        json.open()
        names.write(answer.name, redaction, as: "rrname", into: &json)
        json.member("rrtype", DNSNames.type(answer.type))
        json.member("ttl", answer.timeToLive)
        switch answer.data {
        case .address(let address): json.member("rdata", address)
        case .alias(let name): names.write(name, redaction, as: "rdata", into: &json)
        case .service, .other: break
        }
        json.close()
      }
      json.closeArray()
    }
    json.close()
  }

  private func write(_ hello: ClientHello, _ redaction: LabelRedaction, into json: inout JSONWriter) {
    json.key("tls")
    json.open()
    if let name = hello.serverName { names.write(name, redaction, as: "sni", into: &json) }
    json.member("ja4", JA4.fingerprint(hello, transport: "t", digest: digest))
    if !hello.alpn.isEmpty {
      json.key("client_alpns")
      json.openArray()
      for name in hello.alpn { json.value(names.text(ofWord: name, isRegistered: ApplicationProtocols.contains(name))) }
      json.closeArray()
    }
    json.close()
  }

  /// EVE's object has no place for protocols but its list of extensions, where Suricata writes them too.
  private func write(_ hello: ClientHello?, version: UInt32, _ redaction: LabelRedaction, into json: inout JSONWriter) {
    json.key("quic")
    json.open()
    json.member("version", QUICVersion.text(version))
    if let hello {
      if let name = hello.serverName { names.write(name, redaction, as: "sni", into: &json) }
      json.member("ja4", JA4.fingerprint(hello, transport: "q", digest: digest))
      if !hello.alpn.isEmpty {
        json.key("extensions")
        json.openArray()
        json.open()
        json.member("name", "alpn")
        json.member("type", 16)
        json.key("values")
        json.openArray()
        for name in hello.alpn {
          json.value(names.text(ofWord: name, isRegistered: ApplicationProtocols.contains(name)))
        }
        json.closeArray()
        json.close()
        json.closeArray()
      }
    }
    json.close()
  }

  private func write(_ head: HTTPRequestHead, _ redaction: LabelRedaction, into json: inout JSONWriter) {
    json.key("http")
    json.open()
    if let name = head.destinationName { names.write(name, redaction, as: "hostname", into: &json) }
    if let port = head.port { json.member("http_port", port) }
    json.member("http_method", names.text(ofWord: head.method, isRegistered: HTTPMethod.isKnown(head.method)))
    json.member("protocol", head.isHTTP2 ? "HTTP/2" : "HTTP/1.\(head.minorVersion)")
    json.close()
  }

  private func write(_ summary: FlowSummary, into json: inout JSONWriter) {
    json.key("flow")
    json.open()
    json.member("pkts_toserver", summary.packetsToServer)
    json.member("pkts_toclient", summary.packetsToClient)
    json.member("bytes_toserver", summary.bytesToServer)
    json.member("bytes_toclient", summary.bytesToClient)
    json.member("start", summary.start)
    json.member("end", summary.end)
    json.member("age", max(0, summary.end.since(summary.start) / 1_000_000_000))
    json.close()
  }

  private func writeEgress(_ event: Event, into json: inout JSONWriter) {
    json.key("egress")
    json.open()
    if case .stats(let kind, let figures) = event.body {
      json.member("kind", kind)
      for figure in figures { write(figure.name, figure.value, into: &json) }
    }
    if let session = event.session {
      json.member("session", session.id)
      json.member("agent_type", session.agentType)
      json.member("attribution", session.attribution.rawValue)
      if session.isViaResolver { json.member("via", "resolver") }
    }
    if let destination = event.destination {
      json.key("destination")
      json.open()
      json.member("key", destination.key)
      json.member("evidence", destination.evidence.rawValue)
      if let category = destination.category { json.member("category", category) }
      json.member("external", destination.isExternal)
      json.member("new", destination.isNew)
      if let resolution = destination.resolution { json.member("resolution", resolution.rawValue) }
      json.close()
    }
    if let budget = event.budget {
      json.key("budget")
      json.open()
      json.member("used", budget.used)
      if let ceiling = budget.ceiling { json.member("ceiling", ceiling) }
      json.close()
    }
    if let verdict = event.verdict { write(verdict, at: event.time, into: &json) }
    switch event.body {
    case .alert(let flag):
      json.key("flag")
      json.open()
      json.member("id", flag.id)
      json.member("kind", flag.kind.rawValue)
      json.member("summary", flag.summary)
      json.key("evidence")
      json.open()
      for item in flag.evidence { write(item.name, item.value, into: &json) }
      json.close()
      json.close()
    case .flow(let summary):
      if summary.accounting != .seen { json.member("counted_by", summary.accounting.word) }
      if let shape = summary.shape { write(shape, summary, into: &json) }
    case .tls(let hello):
      if let name = hello.serverName { write(names.shape(name), into: &json) }
      writeTraits(hello, into: &json)
    case .quic(_, let hello):
      if let name = hello?.serverName { write(names.shape(name), into: &json) }
      if let hello { writeTraits(hello, into: &json) }
    case .http(let head):
      if head.asksWebSocket { json.member("upgrade", "websocket") }
      if case .request(let shape) = event.shape { write(shape, into: &json) }
      writeOddities(head.oddities, into: &json)
    case .dnsQuery(let message):
      if let question = message.questions.first { write(names.shape(question.name), into: &json) }
      writeOddities(message.oddities, into: &json)
    case .dnsAnswer(let message): writeOddities(message.oddities, into: &json)
    default: break
    }
    json.close()
  }

  private func write(_ shape: FlowShape, _ summary: FlowSummary, into json: inout JSONWriter) {
    json.key("shape")
    json.open()
    json.member("protocol", shape.proto.word)
    json.member("naming", shape.naming.word)
    json.member("bytes_out", shape.sent)
    if let received = shape.received { json.member("bytes_in", received) }
    json.member("packets_out", summary.packetsToServer)
    json.member("packets_in", summary.packetsToClient)
    json.member("duration_ms", shape.duration)
    json.member("longest_gap_ms", shape.longestGap)
    json.member("mean_gap_ms", shape.meanGap)
    json.close()
  }

  private func writeTraits(_ hello: ClientHello, into json: inout JSONWriter) {
    json.key("tls")
    json.open()
    json.member("ech", hello.hasEncryptedClientHello)
    json.member("post_quantum", hello.offersPostQuantum)
    json.close()
    writeOddities(hello.oddities, into: &json)
  }

  private func write(_ verdict: EventVerdict, at time: Timestamp, into json: inout JSONWriter) {
    json.key("verdict")
    json.open()
    json.member("action", verdict.action.name)
    json.member("reason", verdict.reason.rawValue)
    if let would = verdict.would { json.member("would", would.name) }
    if let match = verdict.list, let overlay = match.overlay {
      json.key("overlay")
      json.open()
      json.member("id", overlay.id)
      json.member("kind", overlay.kind.rawValue)
      json.member("entry", match.entry)
      json.member("who", overlay.who)
      json.member("why", overlay.why)
      json.close()
    } else if let match = verdict.list {
      json.key("list")
      json.open()
      json.member("name", match.list)
      json.member("entry", match.entry)
      json.member("line", match.line)
      if let modified = match.listModified {
        json.member("age_seconds", max(0, time.since(modified) / 1_000_000_000))
      }
      json.close()
    }
    json.close()
  }

  private func write(_ name: String, _ value: StatValue, into json: inout JSONWriter) {
    json.key(foreign: name)
    switch value {
    case .count(let count): json.value(count)
    case .text(let text): json.value(text)
    case .categories(let figures):
      json.open()
      for category in figures {
        json.key(foreign: category.name)
        json.open()
        json.member("contacts", category.contacts)
        json.member("destinations", category.destinations)
        json.close()
      }
      json.close()
    }
  }

  private func writeOddities(_ oddities: Oddities, into json: inout JSONWriter) {
    guard !oddities.isEmpty else { return }
    json.key("oddities")
    json.openArray()
    for name in oddities.names { json.value(name) }
    json.closeArray()
  }

  private static func name(ofProtocol number: UInt8) -> String {
    switch number {
    case IPProtocol.tcp.rawValue: "TCP"
    case IPProtocol.udp.rawValue: "UDP"
    case IPProtocol.icmp.rawValue: "ICMP"
    case IPProtocol.icmpv6.rawValue: "IPv6-ICMP"
    default: String(number)
    }
  }
}

extension EventBody {
  /// EVE's `event_type`.
  var typeName: String {
    switch self {
    case .dnsQuery, .dnsAnswer: "dns"
    case .tls: "tls"
    case .quic: "quic"
    case .http: "http"
    case .flow: "flow"
    case .drop: "drop"
    case .alert: "alert"
    case .stats: "stats"
    }
  }
}

extension Action {
  /// As events and configuration write it.
  public var name: String {
    switch self {
    case .accept: "accept"
    case .drop: "drop"
    case .reject: "reject"
    }
  }
}
