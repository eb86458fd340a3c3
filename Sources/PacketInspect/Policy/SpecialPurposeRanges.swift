/// Address ranges that are never an external destination: the IANA special-purpose registries
/// (RFC 6890 and its updates) whose "globally reachable" is false, and multicast.
public enum SpecialPurposeRanges {
  /// The ranges as CIDR text.
  public static let all = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:db8::/32",
    "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8",
  ]

  static let table: NetworkTable<Bool> = {
    var table = NetworkTable<Bool>()
    for text in all {
      if let network = IPNetwork(text) { table.insert(network, true) }
    }
    return table
  }()
}
