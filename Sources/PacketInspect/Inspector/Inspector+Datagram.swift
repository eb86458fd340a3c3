extension Inspector {
  /// Client datagrams of a flow that are looked at for DNS on an unusual port before the flow is decided.
  private static var searchedDatagrams: UInt32 { 8 }
  /// Ports whose DNS-like messages stay on the link: mDNS (RFC 6762) and LLMNR (RFC 4795).
  private static func isLinkLocalNaming(_ port: UInt16) -> Bool { port == 5353 || port == 5355 }

  /// Judges a UDP datagram. DNS is judged message by message; anything else is its address's contact.
  mutating func judgeDatagram<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, fromClient: Bool, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict {
    if fromClient, let verdict = judgeQUIC(index, view, meta, now, &sink) { return verdict }
    let serverPort = flows[index].serverPort
    let isStandard = serverPort == 53 || (meta.hook == .replay && flows[index].clientPort == 53)
    let mayBeDNS =
      isStandard
      || (!Self.isLinkLocalNaming(serverPort)
        && (fromClient ? DNSMessage.looksLikeQuery(view.payload) : DNSMessage.looksLikeResponse(view.payload)))
    if mayBeDNS, view.payload.byteCount > 0 {
      let failure = DNSMessage.parse(view.payload, into: &message)
      if failure == nil {
        recordFact(index, fromClient: fromClient, .dns(message, overTCP: false, isOther: !isStandard), &sink)
        if fromClient, !message.isResponse { return judgeQuestions(index, meta, now, &sink) }
        // What the agent itself sends is no answer, whatever it says.
        if !fromClient, message.isResponse {
          learn(index, now, &sink)
          return Verdict(.accept, .allowed, scope: .packet)
        }
      }
    }
    guard fromClient else { return Verdict(.accept, flows[index].reason, scope: .packet) }
    if flows[index].clientPackets < Self.searchedDatagrams || isStandard, flows[index].isCharged {
      return Verdict(effective(flows[index].action), flows[index].reason)
    }
    return judgeNameless(index, view, meta, fromClient: true, now, &sink)
  }

  /// Judges a packet of a flow that cannot name its destination.
  mutating func judgeNameless<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ meta: PacketMeta, fromClient: Bool, _ now: Timestamp,
    _ sink: inout Sink
  ) -> Verdict {
    guard fromClient else { return Verdict(.accept, flows[index].reason, scope: .packet) }
    if flows[index].traffic.proto == .unknown { noteOpaqueDatagram(index, view, now, &sink) }
    let outcome = charge(index, name: nil, claim: nil, now)
    settle(index, outcome.verdict)
    let isSearched =
      view.proto == .udp && outcome.verdict.action == .accept
      && (flows[index].clientPackets < Self.searchedDatagrams || flows[index].serverPort == 53)
    if isSearched { flows[index].phase = .watched }
    raiseFlags(outcome, index, now, &sink)
    raiseTunnel(index, view, outcome, now, &sink)
    if outcome.verdict.action != .accept { reportDrop(index, outcome, length: meta.originalLength, now, &sink) }
    return Verdict(effective(outcome.verdict.action), outcome.verdict.reason)
  }

  /// Judges the questions in `message`, whatever carried them: a name that is looked up has left the host.
  /// A denied question is refused by itself; its socket lives on.
  mutating func judgeQuestions<Sink: EventSink>(
    _ index: Int32, _ meta: PacketMeta, _ now: Timestamp, _ sink: inout Sink
  ) -> Verdict {
    let server = flows[index].server
    var result = ContactOutcome(verdict: Verdict(.accept, .allowed, scope: .packet))
    if let match = denyMatch(flows[index].session, address: server) {
      result = ContactOutcome(verdict: Verdict(match.action, match.reason, scope: .packet), match: match)
    }
    let isTrusted = policy.parts.trustedResolvers.contains(server.canonical)
    let isExternalServer = !isTrusted && policy.isExternal(server)
    if result.verdict.action == .accept, isExternalServer {
      judgeServer(server, flows[index].session, &result)
    }
    // A refused server is the resolver's own doing, not that of the session it asks for.
    if result.verdict.action == .accept { result.asker = asker(index, meta, now) }
    let session = result.asker ?? flows[index].session
    sessions.refresh(session, policy)
    // What the resolver itself gave reason for, when it asks for somebody.
    var carriers = ContactOutcome(verdict: Verdict(.accept, .allowed))
    if result.asker != nil { swap(&carriers.categoryHits, &result.categoryHits) }
    // A question that is refused charges nobody, so that what follows it on its flow is still to be judged.
    if !isExternalServer, result.verdict.action == .accept { flows[index].isCharged = true }
    for question in message.questions where result.verdict.action == .accept {
      judgeQuestion(question.name, session, now, &result)
    }
    if result.verdict.action == .accept, isExternalServer {
      // A resolver that nobody trusts is a destination like any other, of whoever chose it.
      let key = DestinationKey(server)
      let outcome = contact(flows[index].session, key, .address, .unknown, now)
      let place = EventDestination(
        key: key.text, evidence: .address, isExternal: true, isNew: outcome.isNew && outcome.admitted,
        category: policy.name(of: .unknown))
      if result.asker != nil {
        carriers.destination = place
        carriers.category = .unknown
        carriers.take(outcome)
      } else {
        result.take(outcome)
      }
      if result.destination == nil {
        result.destination = place
        result.category = .unknown
      }
      if outcome.admitted {
        flows[index].isCharged = true
      } else {
        result.verdict = Verdict(.reject, outcome.refusal, scope: .packet)
        result.asker = nil
      }
    }
    if isTrusted || result.asker != nil, effective(result.verdict.action) == .accept {
      for question in message.questions {
        questions.ask(question.name, id: message.id, flow: flows[index].key, session: session, at: now)
      }
    }
    if effective(result.verdict.action) == .accept { noteRecentQuestions(index, session, meta, now) }
    var event = event(.dnsQuery(message), on: index, at: now)
    describe(result, in: &event)
    sink.record(event)
    raiseFlags(result, index, now, &sink)
    raiseFlags(carriers, index, now, &sink)
    if effective(result.verdict.action) == .accept {
      for question in message.questions { noteName(question.name, type: question.type, result, index, now, &sink) }
    }
    if result.verdict.action != .accept {
      flows[index].reportedDrop = false
      reportDrop(index, result, length: meta.originalLength, now, &sink)
    }
    flows[index].phase = .watched
    noteProtocol(index, .dns, .none, result, isTunnel: false, now, &sink)
    return Verdict(effective(result.verdict.action), result.verdict.reason, scope: .packet)
  }

  /// Whether the category actions refuse a resolver that nobody trusts: what only its address stands for is unknown.
  private mutating func judgeServer(_ server: IPAddress, _ session: Int32, _ result: inout ContactOutcome) {
    let place = Place(key: DestinationKey(server), evidence: .address, isExternal: true)
    guard let hit = categoryHit(session, place, name: nil, claim: nil) else { return }
    result.categoryHits.append(hit)
    guard let reason = hit.refusal else { return }
    result.verdict = Verdict(.reject, reason, scope: .packet)
    result.category = .unknown
    result.destination = EventDestination(
      key: place.key.text, evidence: .address, isExternal: true, isNew: false, category: policy.name(of: .unknown))
  }

  private mutating func judgeQuestion(
    _ name: HostName, _ session: Int32, _ now: Timestamp, _ result: inout ContactOutcome
  ) {
    if let match = denyMatch(session, name: name) {
      result.verdict = Verdict(match.action, match.reason, scope: .packet)
      result.match = match
      return
    }
    // The root itself (a priming question) tells nobody anything.
    guard name.count > 0 else { return }
    let key = destinationKey(name)
    guard policy.isExternal(name) else {
      if result.destination == nil {
        result.destination = EventDestination(key: key.text, evidence: .dnsQuery, isExternal: false, isNew: false)
        result.verdict.reason = .internal
      }
      return
    }
    noteQuestion(name, session)
    let category = policy.category(of: name)
    let place = Place(key: key, evidence: .dnsQuery, isExternal: true, category: category, isByName: true)
    if let hit = categoryHit(session, place, name: name, claim: nil) {
      result.categoryHits.append(hit)
      if let reason = hit.refusal {
        result.verdict = Verdict(.reject, reason, scope: .packet)
        result.category = category
        result.destination = EventDestination(
          key: key.text, evidence: .dnsQuery, isExternal: true, isNew: false, category: policy.name(of: category))
        return
      }
    }
    let outcome = contact(session, key, .dnsQuery, category, now)
    result.take(outcome)
    result.destination = EventDestination(
      key: key.text, evidence: .dnsQuery, isExternal: true, isNew: outcome.isNew && outcome.admitted,
      category: policy.name(of: category))
    result.category = category
    result.verdict.reason = .allowed
    if !outcome.admitted { result.verdict = Verdict(.reject, outcome.refusal, scope: .packet) }
  }

  /// Learns which addresses a trusted resolver gave a name that was asked for, aliases walked (RFC 1034 section 3.6.2).
  mutating func learn<Sink: EventSink>(_ index: Int32, _ now: Timestamp, _ sink: inout Sink) {
    var event = event(.dnsAnswer(message), on: index, at: now)
    event.flow?.isReply = true
    let isTrusted = policy.parts.trustedResolvers.contains(flows[index].server.canonical)
    var found: [(name: HostName, asked: Int32)] = []
    for question in message.questions {
      guard let asked = questions.answer(question.name, id: message.id, flow: flows[index].key, at: now) else {
        continue
      }
      let own = flows[index].session
      if asked != own, mayBeResolver(sessions[own]), sessions[asked].ended == nil { attachAsker(asked, to: &event) }
      if isTrusted { found.append((question.name, asked)) }
    }
    sink.record(event)
    var left = Self.maximumBindings
    for (name, asked) in found {
      let chain = aliases(of: name)
      for record in message.answers {
        // An owner speaks for its own name and for those that lead to it, not for those it leads to: whoever owns a
        // name may point it, and its hints, at anybody's.
        guard let place = chain.firstIndex(of: record.name) else { continue }
        for address in record.data.addresses {
          for name in chain[...place] {
            guard left > 0 else { return }
            left -= 1
            memory.learn(name, address: address, timeToLive: record.timeToLive, session: asked, at: now)
            noteAnswer(name, address, asked)
          }
        }
      }
    }
  }

  /// A name and, in order, the aliases that `message` leads it through.
  private func aliases(of name: HostName) -> [HostName] {
    var chain = [name]
    while chain.count < Self.maximumAliases {
      let last = chain[chain.count - 1]
      var next: HostName?
      for record in message.answers where record.name == last {
        if case .alias(let target) = record.data { next = target }
      }
      guard let next, !chain.contains(next) else { break }
      chain.append(next)
    }
    return chain
  }

  /// Names learned for addresses from one answer, each of a chain of aliases for each address: real ones have a few
  /// links and a few dozen addresses. What is not learned is charged to its address.
  private static var maximumBindings: Int { 256 }
  /// Aliases followed in one answer; resolvers give up at about this many.
  private static var maximumAliases: Int { 16 }

  /// Hands a fact to a sink that wants facts.
  func recordFact<Sink: EventSink>(_ index: Int32, fromClient: Bool, _ body: Fact.Body, _ sink: inout Sink) {
    guard sink.wantsFacts else { return }
    let flow = flows[index]
    let client = (flow.client, flow.clientPort)
    let server = (flow.server, flow.serverPort)
    let (source, destination) = fromClient ? (client, server) : (server, client)
    sink.record(
      Fact(
        source: source.0, sourcePort: source.1, destination: destination.0, destinationPort: destination.1, body: body))
  }
}

extension DNSRecordData {
  /// The addresses that a record gives its owner.
  fileprivate var addresses: [IPAddress] {
    switch self {
    case .address(let address): [address]
    case .service(_, let hints, _): hints
    case .alias, .other: []
    }
  }
}
