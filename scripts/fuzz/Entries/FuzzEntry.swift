import PacketInspect

/// What a fuzzer drives: one entry for each dissector, for the readers of captures, and for the whole inspector.
///
/// An entry never fails: what is wrong with the code shows itself as a trap, a broken `demand`, or time. The fuzzers
/// (declared when FUZZ=1) and the regression tests of the normal build go through the same entries.
public enum FuzzEntry: String, CaseIterable, Sendable {
  /// IP, its extension headers and its transport.
  case wire
  /// A client's byte stream as TLS: records and hello, and the hello alone.
  case tls
  /// QUIC's long headers, Initial packets in the clear, CRYPTO frames.
  case quic
  /// A DNS message.
  case dns
  /// A request head, and its body.
  case http
  /// What a client sends over HTTP/2.
  case http2
  /// What a client says to a SOCKS proxy.
  case socks
  /// A pcap or pcapng file, its fragments put together, through the inspector.
  case replay
  /// A stream of packets with what is known beside their bytes, through the inspector (see `InspectorEntry`).
  case inspector

  /// Runs the entry once.
  public func run(_ bytes: RawSpan) {
    switch self {
    case .wire: DissectorEntries.wire(bytes)
    case .tls: DissectorEntries.tls(bytes)
    case .quic: DissectorEntries.quic(bytes)
    case .dns: DissectorEntries.dns(bytes)
    case .http: DissectorEntries.http(bytes)
    case .http2: DissectorEntries.http2(bytes)
    case .socks: DissectorEntries.socks(bytes)
    case .replay: InspectorEntry.replay(bytes)
    case .inspector: InspectorEntry.packets(bytes)
    }
  }
}

/// Ends the program when what must always hold does not: the fuzzer's finding, the regression test's failure.
func demand(_ holds: Bool, _ what: StaticString) {
  if !holds { fatalError("\(what)") }
}
