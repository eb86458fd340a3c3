/// The flags of flows and sessions over time: what they say, in figures.
extension Inspector {
  /// Sessions asked, for a beacon's evidence, whether they know its destination too.
  private static var askedSessions: Int { 256 }

  mutating func raiseBeacon<Sink: EventSink>(
    _ outcome: ContactOutcome, _ session: Int32, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard let beacon = outcome.beacon, let place = outcome.destination, place.isExternal,
      flows[index].traffic.proto != .ntp
    else { return }
    let known = sessions[session].budget.keysAndEvidence.first { $0.key.text == place.key }
    let category = outcome.category ?? .unknown
    guard let key = known?.key, !KnownServices.isPolled(category),
      !KnownServices.contains(key, category, sessions[session].shapePolicy)
    else { return }
    var others = 0
    for other in sessions.indices.prefix(Self.askedSessions) where other != session {
      if sessions[other].budget.contains(key) { others += 1 }
    }
    let minutes = beacon.span / 60_000_000_000
    let summary =
      "\(beacon.contacts) contacts with \(place.key) at an interval of \(Self.tenths(beacon.interval)) s, "
      + "give or take \(Int(beacon.deviation * 100 + 0.5)) %, over \(minutes) minutes."
    var evidence = [
      FlagEvidence("contacts", beacon.contacts), FlagEvidence("interval_ms", Int(beacon.interval * 1_000)),
      FlagEvidence("deviation_percent", Int(beacon.deviation * 100 + 0.5)),
      FlagEvidence("seconds", Int(beacon.span / 1_000_000_000)), FlagEvidence("other_sessions", others),
    ]
    if let size = beacon.size { evidence.append(FlagEvidence("bytes_each", size)) }
    raiseOnSession(.beacon, summary, evidence, session, place, now, &sink)
  }

  mutating func raiseDrip<Sink: EventSink>(
    _ drip: DripFinding, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    let summary =
      drip.isSpread
      ? "\(drip.uploads) small uploads to \(drip.destinations) destinations add up to \(drip.bytes) bytes and more."
      : "\(drip.uploads) small uploads to one destination add up to \(drip.bytes) bytes."
    let evidence = [
      FlagEvidence("uploads", Int(clamping: drip.uploads)),
      FlagEvidence("destinations", Int(clamping: drip.destinations)),
      FlagEvidence("bytes", Int(clamping: drip.bytes)),
    ]
    raiseOnSession(
      .drip, summary, evidence, flows[index].session, drip.isSpread ? nil : knownDestination(index), now, &sink)
  }

  mutating func raiseVolume<Sink: EventSink>(
    _ volume: VolumeFinding, _ session: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    let whither = volume.isToServices ? "known services" : "external destinations"
    raiseOnSession(
      .uploadVolume, "\(volume.bytes) bytes of payload sent to \(whither) in 24 hours.",
      [
        FlagEvidence("bytes", Int(clamping: volume.bytes)), FlagEvidence("threshold", Int(clamping: volume.threshold)),
        FlagEvidence("to", volume.isToServices ? "services" : "others"),
      ], session, nil, now, &sink)
  }

  mutating func raiseUpload<Sink: EventSink>(
    _ index: Int32, _ sent: UInt64, _ received: UInt64?, isDeclared: Bool, _ now: Timestamp, _ sink: inout Sink
  ) {
    flows[index].traffic.marks[.uploadFlagged] = true
    let tag = flows[index].traffic.destination
    guard sessions.withTraffic(flows[index].session, { traffic, _ in traffic.isFirst(.upload, tag) }) else { return }
    let seconds = max(0, flows[index].lastSeen.since(flows[index].started)) / 1_000_000_000
    var evidence = [FlagEvidence("bytes_out", Int(clamping: sent)), FlagEvidence("seconds", Int(seconds))]
    var summary = "A \(flows[index].traffic.proto.word) flow has sent \(sent) bytes in \(seconds) s"
    if isDeclared {
      summary = "A request says that it sends \(sent) bytes."
      evidence.append(FlagEvidence("rests_on", "declared length"))
    } else if let received {
      summary += " and fetched \(received)."
      evidence.append(FlagEvidence("bytes_in", Int(clamping: received)))
      evidence.append(
        FlagEvidence("rests_on", flows[index].serverPackets > 0 ? "packets both ways" : "acknowledgements"))
    } else {
      summary += "; what it fetched is not seen."
      evidence.append(FlagEvidence("rests_on", "packet sizes"))
    }
    raiseOnFlow(.uploadHeavy, summary, evidence, index, knownDestination(index), now, &sink)
  }

  mutating func raiseLiteral<Sink: EventSink>(
    _ index: Int32, _ place: EventDestination, _ now: Timestamp, _ sink: inout Sink
  ) {
    let tag = flows[index].traffic.destination
    guard sessions.withTraffic(flows[index].session, { traffic, _ in traffic.isFirst(.literal, tag) }) else { return }
    let word = flows[index].traffic.proto.word
    let how =
      switch flows[index].traffic.naming {
      case .literal: "writes the address where a name stands"
      case .absent: "gives no name"
      default: "cannot give a name"
      }
    raiseOnFlow(
      .addressLiteral, "\(place.key) was contacted as an address: no answer gave it, and the \(word) flow \(how).",
      [
        FlagEvidence("protocol", word), FlagEvidence("naming", flows[index].traffic.naming.word),
        FlagEvidence("port", Int(flows[index].serverPort)),
      ], index, place, now, &sink)
  }

  mutating func raiseNewProtocol<Sink: EventSink>(
    _ index: Int32, _ place: EventDestination?, _ now: Timestamp, _ sink: inout Sink
  ) {
    let proto = flows[index].traffic.proto
    let isFirst = sessions.withTraffic(flows[index].session) { traffic, policy in
      !policy.protocols.contains(proto) && traffic.isFirst(.proto, UInt32(proto.rawValue))
    }
    guard isFirst else { return }
    raiseOnFlow(
      .newProtocol,
      "The session speaks \(proto.word) to port \(flows[index].serverPort), which is not expected of its agent type.",
      [
        FlagEvidence("protocol", proto.word), FlagEvidence("port", Int(flows[index].serverPort)),
        FlagEvidence("bytes_out", Int(clamping: flows[index].traffic.sent)),
      ], index, place, now, &sink)
  }

  mutating func raiseOddPort<Sink: EventSink>(
    _ index: Int32, _ place: EventDestination?, _ now: Timestamp, _ sink: inout Sink
  ) {
    let (proto, port) = (flows[index].traffic.proto, flows[index].serverPort)
    let value = UInt32(proto.rawValue) << 16 | UInt32(port)
    guard sessions.withTraffic(flows[index].session, { traffic, _ in traffic.isFirst(.port, value) }) else { return }
    raiseOnFlow(
      .oddPort, "\(proto.word) on port \(port), where it is not usual.",
      [FlagEvidence("protocol", proto.word), FlagEvidence("port", Int(port))], index, place, now, &sink)
  }

  private mutating func raiseOnFlow<Sink: EventSink>(
    _ kind: FlagKind, _ summary: String, _ evidence: [FlagEvidence], _ index: Int32, _ place: EventDestination?,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    var outcome = ContactOutcome(verdict: Verdict(flows[index].action, flows[index].reason))
    outcome.destination = place
    outcome.destination?.isNew = false
    raise(kind, summary, evidence, outcome, index, now, &sink)
  }

  /// A flag on a session carries no addresses.
  private mutating func raiseOnSession<Sink: EventSink>(
    _ kind: FlagKind, _ summary: String, _ evidence: [FlagEvidence], _ session: Int32, _ place: EventDestination?,
    _ now: Timestamp, _ sink: inout Sink
  ) {
    sessions[session].figures.flags &+= 1
    var event = Event(time: now, body: .alert(flag(kind, summary, evidence)))
    attach(session, to: &event)
    event.destination = place
    event.destination?.isNew = false
    sink.record(event)
  }

  /// A figure with one decimal, without Foundation.
  private static func tenths(_ value: Double) -> String {
    let tenths = Int(min(max(value, 0), 1e12) * 10 + 0.5)
    return "\(tenths / 10).\(tenths % 10)"
  }
}
