import PacketInspect

extension Action {
  /// The word that stands in configuration files.
  var word: String {
    switch self {
    case .accept: "accept"
    case .drop: "drop"
    case .reject: "reject"
    }
  }
}

extension DenyTarget: CustomStringConvertible {
  /// As it can stand in a list: the name, the network, or a lone address without its length.
  var description: String {
    switch self {
    case .name(let name): name.text
    case .network(let network): network.shortText
    }
  }
}

extension IPNetwork {
  /// `address/length`, or just the address when it is a single one.
  var shortText: String { prefixLength == address.bitWidth ? "\(address)" : "\(self)" }

  /// A network whose IPv4-mapped and NAT64 forms are the IPv4 network they stand for.
  var canonical: IPNetwork {
    let inner = address.canonical
    guard !address.isIPv4, inner.isIPv4, prefixLength >= 96 else { return self }
    return IPNetwork(inner, prefixLength: prefixLength - 96) ?? self
  }
}

/// Why a piece of text names no host, address or network; the raw value completes "… is not usable: ".
enum TargetFault: String, Error {
  case notASCII = "not ASCII; use punycode (xn--…)"
  case controlByte = "holds a control byte"
  case badCharacter = "holds a character that no host name has"
  case wildcard = "a wildcard other than a leading '*.'"
  case emptyLabel = "has an empty label"
  case longLabel = "has a label longer than 63 bytes"
  case longName = "longer than 253 bytes"
  case empty = "empty"
  case isAddress = "an address; it belongs into a list of format cidr"
  case registrySuffix = "a public suffix; it would cover every name below it"
  case notNetwork = "neither an address nor a network"
  case tooWide = "a network wider than /4; it would cover a large part of all addresses"
}

/// Reads host names and networks as operators write them, more strictly than names on the wire are read.
enum TargetText {
  /// Networks with a shorter prefix are refused in deny-lists: a slip of the pen would stop everything.
  static let shortestDeniedPrefix = 4

  /// A host name; a leading `*.` or `.` is dropped, since every name covers what is below it.
  static func name(_ text: RawSpan) throws(TargetFault) -> HostName {
    var start = 0
    if text.byteCount >= 2, text.byte(at: 0) == UInt8(ascii: "*"), text.byte(at: 1) == UInt8(ascii: ".") {
      start = 2
    } else if text.byteCount >= 1, text.byte(at: 0) == UInt8(ascii: ".") {
      start = 1
    }
    let bare = text.extracting(droppingFirst: start)
    try check(bare)
    guard let name = HostName(bare) else { throw bare.byteCount == 0 ? .empty : .longName }
    return name
  }

  private static func check(_ text: RawSpan) throws(TargetFault) {
    var end = text.byteCount
    if end > 0, text.byte(at: end - 1) == UInt8(ascii: ".") { end -= 1 }
    guard end > 0 else { throw .empty }
    var label = 0
    var labelIsNumber = true
    for index in 0..<end {
      let byte = text.byte(at: index)
      switch byte {
      case 0x2e:
        guard label > 0 else { throw .emptyLabel }
        label = 0
        labelIsNumber = true
        continue
      case 0x30...0x39: break
      case 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: labelIsNumber = false
      case 0x80...: throw .notASCII
      case 0..<0x20, 0x7f: throw .controlByte
      case 0x2a: throw .wildcard
      case 0x3a: throw isIPv6(text) ? .isAddress : .badCharacter
      default: throw .badCharacter
      }
      label += 1
      guard label <= 63 else { throw .longLabel }
    }
    guard label > 0 else { throw .emptyLabel }
    // No top-level domain is a number (RFC 3696 section 2): this is an IPv4 address, or a piece of one.
    guard !labelIsNumber else { throw .isAddress }
    guard end <= HostName.maximumLength else { throw .longName }
  }

  private static func isIPv6(_ text: RawSpan) -> Bool { IPAddress(string(text)) != nil }

  /// An address or network, in its canonical form.
  static func network(_ text: RawSpan) throws(TargetFault) -> IPNetwork {
    // The longest text of a network: 45 characters of address, a slash, three digits.
    guard text.byteCount > 0 else { throw .empty }
    guard text.byteCount <= 49, let network = IPNetwork(string(text)) else { throw .notNetwork }
    return network.canonical
  }

  /// A name or a network, whichever the text is.
  static func target(_ text: String) throws(TargetFault) -> DenyTarget {
    let bytes = Array(text.utf8)
    if let network = try? network(bytes.rawSpan) { return .network(network) }
    if text.contains("/") { throw .notNetwork }
    return .name(try name(bytes.rawSpan))
  }

  static func string(_ span: RawSpan) -> String { String(decoding: span.array(), as: UTF8.self) }
}
