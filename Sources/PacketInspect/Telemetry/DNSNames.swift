/// Names of DNS numbers as EVE writes them (IANA "Domain Name System (DNS) Parameters").
enum DNSNames {
  static func type(_ number: UInt16) -> String {
    switch number {
    case 1: "A"
    case 2: "NS"
    case 5: "CNAME"
    case 6: "SOA"
    case 10: "NULL"
    case 12: "PTR"
    case 15: "MX"
    case 16: "TXT"
    case 28: "AAAA"
    case 33: "SRV"
    case 35: "NAPTR"
    case 43: "DS"
    case 46: "RRSIG"
    case 48: "DNSKEY"
    case 64: "SVCB"
    case 65: "HTTPS"
    case 255: "ANY"
    default: "TYPE\(number)"
    }
  }

  static func responseCode(_ number: UInt8) -> String {
    switch number {
    case 0: "NOERROR"
    case 1: "FORMERR"
    case 2: "SERVFAIL"
    case 3: "NXDOMAIN"
    case 4: "NOTIMP"
    case 5: "REFUSED"
    default: "RCODE\(number)"
    }
  }
}

extension Oddities {
  /// The names of what is set, as events write them.
  public var names: [String] {
    let all: [(Oddities, String)] = [
      (.duplicateExtension, "duplicate-extension"), (.trailingBytes, "trailing-bytes"),
      (.addressLiteralName, "address-literal-name"), (.oddServerName, "odd-server-name"), (.sslv2Hello, "sslv2-hello"),
      (.inconsistentLength, "inconsistent-length"), (.bareLineFeed, "bare-line-feed"),
      (.foldedHeader, "folded-header"), (.ambiguousLength, "ambiguous-length"), (.ambiguousHost, "ambiguous-host"),
      (.oddWhitespace, "odd-whitespace"), (.severalQuestions, "several-questions"),
      (.oddNameBytes, "odd-name-bytes"), (.cut, "cut"),
    ]
    return all.filter { contains($0.0) }.map(\.1)
  }
}
