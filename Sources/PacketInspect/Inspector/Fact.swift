/// One thing a parser found, for tests of parsers (`replay --facts`): the only place where request targets are kept.
/// Made only for a sink that asks for facts.
public struct Fact: Sendable {
  /// Sender of the bytes.
  public var source: IPAddress
  /// Its port.
  public var sourcePort: UInt16
  /// Receiver of the bytes.
  public var destination: IPAddress
  /// Its port.
  public var destinationPort: UInt16
  /// What was found.
  public var body: Body

  /// What a fact is about.
  public enum Body: Sendable {
    /// A ClientHello.
    case tls(ClientHello)
    /// A ClientHello in QUIC, and the version field it came under.
    case quic(ClientHello, version: UInt32)
    /// A DNS message's questions or answers; `isOther` when no port is 53.
    case dns(DNSMessage, overTCP: Bool, isOther: Bool)
    /// A request head and its target's bytes.
    case http(HTTPRequestHead, target: [UInt8])
  }
}

extension EventSink {
  /// True for a sink that wants facts; the inspector makes none otherwise.
  public var wantsFacts: Bool { false }
  /// Takes a fact.
  public mutating func record(_ fact: Fact) {}
}
