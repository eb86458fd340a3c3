/// Claims that contradict each other: what a session says to one party and what it says to the next.
extension Inspector {
  /// Raises what the request in `head` gives reason for by its form.
  mutating func raiseRequestFlags<Sink: EventSink>(
    _ index: Int32, _ outcome: ContactOutcome, _ now: Timestamp, _ sink: inout Sink
  ) {
    let stream = flows[index].stream
    guard stream >= 0 else { return }
    if streams[stream].isTunnel { raiseFronting(index, head.destinationName, outcome, now, &sink) }
    guard !head.oddities.isEmpty else { return }
    if let one = head.destinationName.map({ shown($0) }), let other = head.disagreeingHost.map({ shown($0) }) {
      raiseOnce(
        .hostDisagreement, (one, other),
        "A request names two hosts, \(one == other ? "both of \(one)" : "\(one) and \(other)"): "
          + "servers differ in which they obey.",
        [FlagEvidence("host", one), FlagEvidence("other", other)], outcome, index, now, &sink)
    }
    if let form = Self.smugglingForm(head) {
      let name = head.destinationName.map { shown($0) } ?? flows[index].server.description
      raiseOnce(
        .smuggling, (name, form),
        "A request to \(name) has \(form): what one server takes for its body another takes for a request.",
        [FlagEvidence("host", name), FlagEvidence("form", form)], outcome, index, now, &sink)
    }
  }

  /// Which form of request smuggling a head amounts to, in plain words; nil for none.
  ///
  /// Bare line feeds throughout are a plain client's own; among proper line ends they hide a line from someone.
  private static func smugglingForm(_ head: HTTPRequestHead) -> String? {
    if head.oddities.contains(.ambiguousLength) { return "contradictory lengths" }
    if head.oddities.contains(.foldedHeader) { return "a folded header line" }
    return head.mixesLineEnds ? "bare line feeds among proper line ends" : nil
  }

  /// Raises `fronting` when `name`, which was claimed inside a tunnel, is not the registrable domain that the tunnel
  /// was asked for. The public name of an encrypted hello is meant to differ; an address is nobody's name.
  mutating func raiseFronting<Sink: EventSink>(
    _ index: Int32, _ name: HostName?, _ outcome: ContactOutcome, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard let name, let target = HostName(streams[flows[index].stream].tunnelTarget.rawSpan),
      addressLiteral(name) == nil, addressLiteral(target) == nil
    else { return }
    let (inner, outer) = (destinationKey(name), destinationKey(target))
    guard inner != outer else { return }
    raiseOnce(
      .fronting, (outer.text, inner.text),
      "A tunnel that was asked for \(outer.text) is used for \(inner.text).",
      [FlagEvidence("target", outer.text), FlagEvidence("name", inner.text)], outcome, index, now, &sink)
  }

  /// A name as flags show it: its registrable domain, since a label below may say more than it should; or the address
  /// that it spells.
  mutating func shown(_ name: HostName) -> String {
    addressLiteral(name)?.description ?? destinationKey(name).text
  }

  /// Raises a flag on a flow the first time that the session gives this reason. What it says is put together only then:
  /// every request may give the same one.
  mutating func raiseOnce<Sink: EventSink>(
    _ kind: FlagKind, _ reason: (String, String), _ summary: @autoclosure () -> String,
    _ evidence: @autoclosure () -> [FlagEvidence], _ outcome: ContactOutcome, _ index: Int32, _ now: Timestamp,
    _ sink: inout Sink
  ) {
    let isFirst = sessions[outcome.asker ?? flows[index].session].isFirstFlag {
      $0.combine(kind)
      $0.combine(reason.0)
      $0.combine(reason.1)
    }
    guard isFirst else { return }
    raise(kind, summary(), evidence(), outcome, index, now, &sink)
  }
}

extension HTTPRequestHead {
  /// A host that the request names beside its destination and that is another one.
  fileprivate var disagreeingHost: HostName? {
    guard let one = destinationName else { return nil }
    if let host, host != one { return host }
    if let otherHost, otherHost != one { return otherHost }
    return nil
  }
}
