/// Knows registrable domains (Public Suffix List, private section included), so that the core need not.
public protocol RegistrableDomains {
  /// Number of trailing bytes of `name` that are its registrable domain; 0 when it is itself a public suffix.
  func registrableLength(of name: HostName) -> Int
}
