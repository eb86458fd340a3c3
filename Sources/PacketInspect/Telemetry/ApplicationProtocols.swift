/// Application protocols that a hello may offer by name (RFC 7301) and that are shown as such: those of the IANA
/// registry, and drafts and experiments that are in use.
enum ApplicationProtocols {
  private static let known: Set<[UInt8]> = Set(
    [
      "http/0.9", "http/1.0", "http/1.1", "h2", "h2c", "h3", "hq-interop", "spdy/1", "spdy/2", "spdy/3", "spdy/3.1",
      "stun.turn", "stun.nat-discovery", "webrtc", "c-webrtc", "ftp", "imap", "pop3", "managesieve", "coap", "co",
      "xmpp-client", "xmpp-server", "acme-tls/1", "mqtt", "dot", "doq", "ntske/1", "sunrpc", "smb", "irc", "nntp",
      "nnsp", "sip/2", "tds/8.0", "dicom", "postgresql", "radius/1.0", "radius/1.1", "netperfmeter/control",
      "netperfmeter/data",
    ].map { Array($0.utf8) })

  /// True for a name that says nothing but which protocol it is.
  static func contains(_ name: [UInt8]) -> Bool { known.contains(name) || isDraft(name) }

  /// HTTP/3 and what it was tested by, with the number of a draft: `h3-29`, `hq-32`.
  private static func isDraft(_ name: [UInt8]) -> Bool {
    guard name.count == 5, name[0] == UInt8(ascii: "h"), name[1] == UInt8(ascii: "3") || name[1] == UInt8(ascii: "q"),
      name[2] == UInt8(ascii: "-")
    else { return false }
    return name[3...].allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
  }
}
