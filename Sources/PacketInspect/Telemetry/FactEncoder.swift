/// Writes facts as lines of JSON, one for each name: the form of `replay --facts`.
public struct FactEncoder<Digest: SHA256Digest> {
  private let digest: Digest

  /// An encoder; the digest is for JA4.
  public init(digest: Digest) { self.digest = digest }

  /// The lines of one fact.
  public func lines(_ fact: Fact) -> [UInt8] {
    var json = JSONWriter()
    let flow =
      "\(endpoint(fact.source, fact.sourcePort))>\(endpoint(fact.destination, fact.destinationPort))"
    switch fact.body {
    case .tls(let hello): write(hello, flow, protocolName: "tls", version: nil, into: &json)
    case .quic(let hello, let version): write(hello, flow, protocolName: "quic", version: version, into: &json)
    case .dns(let message, let overTCP, let isOther): write(message, flow, overTCP, isOther, into: &json)
    case .http(let head, let target):
      json.open()
      json.member("kind", head.isHTTP2 ? "http2_request" : "http_request")
      json.member("flow", flow)
      json.member("method", text(head.method))
      json.key("host")
      if let host = head.host { json.value(authority(host)) } else { json.null() }
      if let host = head.targetHost { json.member("target_host", authority(host)) }
      if !head.isHTTP2 { json.member("target", text(target)) }
      json.close()
      json.newline()
    }
    return json.bytes
  }

  private func write(
    _ hello: ClientHello, _ flow: String, protocolName: String, version: UInt32?, into json: inout JSONWriter
  ) {
    json.open()
    json.member("kind", protocolName + (hello.serverName == nil ? "_client_hello" : "_sni"))
    json.member("flow", flow)
    if let name = hello.serverName {
      json.member("name", name.description)
    } else {
      json.key("sni")
      json.null()
    }
    json.member("ja4", JA4.fingerprint(hello, transport: version == nil ? "t" : "q", digest: digest))
    json.member("ech", hello.hasEncryptedClientHello)
    if let version { json.member("quic_version", QUICVersion.text(version)) }
    json.close()
    json.newline()
  }

  private func write(
    _ message: DNSMessage, _ flow: String, _ overTCP: Bool, _ isOther: Bool, into json: inout JSONWriter
  ) {
    if !message.isResponse {
      for question in message.questions {
        json.open()
        json.member("kind", isOther ? "dns_query_other" : "dns_query")
        json.member("transport", overTCP ? "tcp" : "udp")
        json.member("flow", flow)
        json.member("name", question.name.description)
        json.member("type", question.type)
        json.close()
        json.newline()
      }
      return
    }
    for answer in message.answers {
      let data: String
      switch answer.data {
      case .address(let address): data = address.description
      case .alias(let name): data = name.description
      case .service, .other: continue
      }
      json.open()
      json.member("kind", isOther ? "dns_answer_other" : "dns_answer")
      json.member("transport", overTCP ? "tcp" : "udp")
      json.member("flow", flow)
      json.member("name", answer.name.description)
      json.member("rtype", answer.type)
      json.member("data", data)
      json.close()
      json.newline()
    }
  }

  private func endpoint(_ address: IPAddress, _ port: UInt16) -> String {
    address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
  }

  /// A host as an authority writes it: an IPv6 literal in brackets (RFC 3986 section 3.2.2).
  private func authority(_ host: HostName) -> String {
    guard let address = IPAddress(host.text), !address.isIPv4 else { return host.description }
    return "[\(host.text)]"
  }

  /// Bytes as text: what is not printable ASCII as `\DDD`, like names.
  private func text(_ bytes: [UInt8]) -> String {
    var out = ""
    for byte in bytes {
      if byte >= 0x20, byte < 0x7f {
        out.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte)
        out += "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
      }
    }
    return out
  }
}
