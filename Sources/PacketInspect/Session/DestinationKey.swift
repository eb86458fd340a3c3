/// What a destination budget counts: a registrable domain, an IPv4 address, or an IPv6 /64.
public enum DestinationKey: Hashable, Sendable {
  /// A registrable domain, or the whole name where it has none: a single label, or a public suffix.
  case domain(String)
  /// An IPv4 address.
  case v4(UInt32)
  /// The upper half of an IPv6 address: a host owns its /64.
  case v6(UInt64)

  /// The key of an address, mapped and NAT64 forms made canonical.
  public init(_ address: IPAddress) {
    let canonical = address.canonical
    self = canonical.isIPv4 ? .v4(canonical.v4) : .v6(canonical.high)
  }

  /// The key of a name. Keys are kept and shown: with `hash`, a name that has no registrable domain shows none of its
  /// labels that are encoded, whatever is configured for names in events.
  public init(_ name: HostName, registrable: some RegistrableDomains, hash: KeyedHash? = nil) {
    let length = registrable.registrableLength(of: name)
    if length == 0, let hash {
      self = .domain(hash.redacted(name, registrable: 0, .encoded))
    } else {
      self = .domain(length > 0 && length < name.count ? name.suffix(length).text : name.text)
    }
  }

  /// As events write it.
  public var text: String {
    switch self {
    case .domain(let name): name
    case .v4(let value): IPAddress(v4: value).description
    case .v6(let high): "\(IPAddress(v6High: high, low: 0))/64"
    }
  }
}

/// What a destination's identity rests on. The names are stable: they stand in events.
public enum Evidence: String, Sendable, CaseIterable {
  /// A Host header or CONNECT target that a trusted resolver's answer corroborates.
  case host = "host"
  /// An SNI that a trusted resolver's answer corroborates.
  case sni = "sni"
  /// The SNI of a QUIC hello that a trusted resolver's answer corroborates.
  case quicSNI = "quic-sni"
  /// The address was answered by a trusted resolver for the name; the flow itself named nobody.
  case dnsAnswer = "dns-answer"
  /// The name was looked up: the question has left the host.
  case dnsQuery = "dns-query"
  /// Nothing but the address.
  case address = "address"
  /// An SNI, over TCP or QUIC, that nothing corroborates: charged to the address.
  case sniUnverified = "sni-unverified"
  /// A Host or CONNECT target that nothing corroborates.
  case hostUnverified = "host-unverified"
}
