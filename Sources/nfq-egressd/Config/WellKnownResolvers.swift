import PacketInspect

/// Addresses of public resolvers that operators mean by `well-known` in `trustedResolvers`.
enum WellKnownResolvers {
  /// The addresses that each operator publishes for its resolvers.
  static let table: [(operator: String, addresses: [String])] = [
    ("Google", ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"]),
    (
      "Cloudflare",
      [
        "1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001",
        "1.1.1.2", "1.0.0.2", "2606:4700:4700::1112", "2606:4700:4700::1002",
        "1.1.1.3", "1.0.0.3", "2606:4700:4700::1113", "2606:4700:4700::1003",
      ]
    ),
    (
      "Quad9",
      [
        "9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9",
        "9.9.9.10", "149.112.112.10", "2620:fe::10", "2620:fe::fe:10",
        "9.9.9.11", "149.112.112.11", "2620:fe::11", "2620:fe::fe:11",
      ]
    ),
    ("OpenDNS", ["208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"]),
    ("AdGuard", ["94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff"]),
  ]

  static let addresses = table.flatMap { $0.addresses.compactMap { IPAddress($0) } }
}

/// The nameservers of a resolv.conf (resolv.conf(5)).
enum SystemResolvers {
  /// Addresses of the `nameserver` lines, in their order; lines that cannot be read are left out.
  static func parse(_ text: String) -> [IPAddress] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count >= 2, words[0] == "nameserver" else { return nil }
      // A link-local server carries its interface: fe80::1%eth0.
      return IPAddress(String(words[1].prefix { $0 != "%" }))?.canonical
    }
  }
}

extension BuiltinList {
  /// What the list denies. The order is that of the entry numbers in events.
  var targets: [DenyTarget] {
    switch self {
    case .cloudMetadata: Self.cloudMetadataTexts.compactMap { try? TargetText.target($0) }
    }
  }

  /// Services from which a process on a cloud host can fetch the host's credentials.
  static let cloudMetadataTexts = [
    "169.254.169.254",  // most clouds
    "fd00:ec2::254",  // Amazon, IPv6
    "169.254.170.2",  // Amazon, credentials of container tasks
    "169.254.170.23",  // Amazon, credentials of pods
    "fd00:ec2::23",  // the same, IPv6
    "fd20:ce::254",  // Google, IPv6
    "fd00:c1::a9fe:a9fe",  // Oracle, IPv6
    "100.100.100.200",  // Alibaba
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
    "api.metadata.cloud.ibm.com",
  ]
}
