/// The public suffix list, injected: the shell brings libpsl, tests a small table.
public protocol RegistrableDomains {
  /// Number of trailing bytes of `name` that are its registrable domain, private section included; 0 when the name
  /// is itself a public suffix.
  func registrableLength(of name: HostName) -> Int
}
