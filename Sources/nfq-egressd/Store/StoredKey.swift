import PacketInspect

extension DestinationKey {
  /// As the store writes it: a letter for the kind, then the text. A domain may look like an address.
  var stored: String {
    switch self {
    case .domain(let name): "n:" + name
    case .v4: "4:" + text
    case .v6: "6:" + text
    }
  }

  /// From the store's form; nil for anything else.
  init?(stored: String) {
    let rest = String(stored.dropFirst(2))
    switch stored.prefix(2) {
    case "n:": self = .domain(rest)
    case "4:":
      guard let address = IPAddress(rest), address.isIPv4 else { return nil }
      self = .v4(address.v4)
    case "6:":
      guard let network = IPNetwork(rest), !network.address.isIPv4 else { return nil }
      self = .v6(network.address.high)
    default: return nil
    }
  }
}
