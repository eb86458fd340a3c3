/// What speaks for names being looked up where nobody sees it.
enum HiddenResolution {
  /// The session speaks to a resolver over an encrypted transport.
  case resolver(transport: String, key: String)
  /// So many names were contacted that nobody was seen to ask for.
  case unseen(names: Int)
}

/// Application protocols of encrypted DNS (RFC 9250 section 4.1, RFC 7858 by IANA's ALPN registry).
private enum EncryptedDNS {
  static let quic = Array("doq".utf8)
  static let tls = Array("dot".utf8)
}

/// Where a session has its names from.
extension Inspector {
  /// Adds to the outcome of a claim how the session came by the name's address, and whether its lookups are hidden.
  mutating func weigh(
    _ index: Int32, _ name: HostName?, _ claim: Claim, _ outcome: inout ContactOutcome, _ now: Timestamp
  ) {
    let flow = flows[index]
    guard flow.isExternal else { return }
    if claim != .host, claim != .tunnelTarget, let transport = hiddenTransport(flow, name) {
      outcome.hidden = .resolver(transport: transport, key: name.map { shown($0) } ?? flow.server.description)
    }
    // A proxy resolves what it is asked for, and a public name is nobody's destination.
    guard claim == .sni || claim == .quicSNI || claim == .host, let name, name.count > 0, addressLiteral(name) == nil,
      policy.isExternal(name)
    else { return }
    let resolution = resolved.resolution(of: name, flow.server, session: identity(flow.session))
    outcome.destination?.resolution = resolution
    guard resolution == .never, !flow.isMidstream, !memory.knows(name, address: flow.server) else { return }
    if sessions[flow.session].visibility.noteHidden(resolved.hash(name)), outcome.hidden == nil {
      outcome.hidden = .unseen(names: NameVisibility.limit)
    }
  }

  /// The encrypted DNS that the hello in `hello` begins, by port, ALPN, name or address; nil for none.
  private func hiddenTransport(_ flow: FlowState, _ name: HostName?) -> String? {
    let isUDP = flow.key.proto == IPProtocol.udp.rawValue
    // RFC 7858 section 3.1, RFC 9250 section 4.1.
    if flow.serverPort == 853 { return isUDP ? "DNS over QUIC" : "DNS over TLS" }
    for offered in hello.alpn {
      if offered == EncryptedDNS.quic { return "DNS over QUIC" }
      if offered == EncryptedDNS.tls { return "DNS over TLS" }
    }
    if let name, policy.category(of: name) == .dohResolver { return "DNS over HTTPS" }
    let server = flow.server.canonical
    let isResolver = policy.parts.publicResolvers.contains(server) || policy.parts.trustedResolvers.contains(server)
    return flow.serverPort == 443 && isResolver ? "DNS over HTTPS" : nil
  }

  /// Raises `hidden-dns`: once for each resolver of a session, and once for names that nobody asked for.
  mutating func raiseHidden<Sink: EventSink>(
    _ hidden: HiddenResolution, _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    switch hidden {
    case .resolver(let transport, let key):
      raiseOnce(
        .hiddenDNS, (transport, key),
        "The session asks \(key) by \(transport): which names it looks up is not seen any more.",
        [FlagEvidence("transport", transport), FlagEvidence("resolver", key)], outcome, index, now, &sink)
    case .unseen(let names):
      raiseOnce(
        .hiddenDNS, ("", ""),
        "The session looked names up where it was seen, and has since contacted \(names) that nobody was seen to ask for.",
        [FlagEvidence("names", names)], outcome, index, now, &sink)
    }
  }

  /// Notes that a session asks for an external name.
  mutating func noteQuestion(_ name: HostName, _ session: Int32) {
    resolved.noteQuestion(name, session: identity(session))
    sessions[session].visibility.noteQuestion()
  }

  /// Notes what a trusted resolver told a session.
  mutating func noteAnswer(_ name: HostName, _ address: IPAddress, _ session: Int32) {
    resolved.noteAnswer(name, address, session: identity(session))
    resolved.noteQuestion(name, session: identity(session))
  }

  /// The time for which an answer must be good that corroborates a flow's claim. A client asks once for a connection
  /// and not again while it lives: what was good when it began stays so. A UDP socket may live on for other
  /// connections.
  func answerTime(_ index: Int32, _ now: Timestamp) -> Timestamp {
    flows[index].key.proto == IPProtocol.tcp.rawValue ? flows[index].started : now
  }

  /// A number that no other session has: the table's places are used again.
  private func identity(_ session: Int32) -> UInt64 {
    UInt64(bitPattern: sessions[session].started.nanoseconds) ^ UInt64(UInt32(bitPattern: session)) << 48
  }
}

extension Category {
  /// Resolvers over HTTPS.
  static let dohResolver = Category(
    rawValue: UInt8(CategoryNames.builtIn.firstIndex(of: "doh-resolver") ?? 0))
}
