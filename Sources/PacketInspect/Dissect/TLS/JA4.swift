/// The JA4 fingerprint of a TLS client, by FoxIO's published specification: which versions, ciphers, extensions and
/// signature algorithms it offers, insensitive to the order in which browsers now shuffle their extensions.
public enum JA4 {
  /// The fingerprint, such as `t13d1516h2_8daaf6152771_02713d6af862`.
  ///
  /// `transport` is `t` for TLS over TCP and `q` for QUIC. Allocates: for events, not for every packet.
  public static func fingerprint(
    _ hello: ClientHello, transport: Character, digest: some SHA256Digest
  ) -> String {
    let ciphers = hello.cipherSuites.filter { !TLSGrease.contains($0) }
    let extensions = hello.extensions.filter { !TLSGrease.contains($0) }
    let named = hello.extensions.contains(TLSExtension.serverName) ? "d" : "i"
    let first =
      "\(transport)\(versionCode(hello.highestVersion))\(named)\(count(ciphers))\(count(extensions))\(alpnCode(hello))"

    let hashed = extensions.filter { $0 != TLSExtension.serverName && $0 != TLSExtension.applicationProtocols }
    var third = list(hashed.sorted())
    let signatures = hello.signatureAlgorithms.filter { !TLSGrease.contains($0) }
    if !third.isEmpty, !signatures.isEmpty { third += "_" + list(signatures) }
    return "\(first)_\(truncatedHash(list(ciphers.sorted()), digest))_\(truncatedHash(third, digest))"
  }

  private static func versionCode(_ version: UInt16) -> String {
    switch version {
    case 0x0304: "13"
    case 0x0303: "12"
    case 0x0302: "11"
    case 0x0301: "10"
    case 0x0300: "s3"
    case 0x0002: "s2"
    default: "00"
    }
  }

  /// Two digits, 99 at most.
  private static func count(_ values: [UInt16]) -> String {
    let number = min(values.count, 99)
    return "\(number / 10)\(number % 10)"
  }

  /// First and last character of the first protocol; of its hexadecimal form when either is not alphanumeric.
  private static func alpnCode(_ hello: ClientHello) -> String {
    guard let name = hello.alpn.first, let first = name.first, let last = name.last else { return "00" }
    let ends = isAlphanumeric(first) && isAlphanumeric(last) ? [first, last] : [hexDigit(first >> 4), hexDigit(last)]
    return String(decoding: ends, as: UTF8.self)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
  }

  private static func hexDigit(_ nibble: UInt8) -> UInt8 {
    let value = nibble & 15
    return value < 10 ? 0x30 + value : 0x57 + value
  }

  /// Four hexadecimal digits each, joined by commas.
  private static func list(_ values: [UInt16]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(values.count * 5)
    for value in values {
      if !out.isEmpty { out.append(UInt8(ascii: ",")) }
      for shift in [12, 8, 4, 0] as [UInt16] { out.append(hexDigit(UInt8(truncatingIfNeeded: value >> shift))) }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The first twelve hexadecimal digits of the digest; zeros for nothing.
  private static func truncatedHash(_ text: String, _ digest: some SHA256Digest) -> String {
    guard !text.isEmpty else { return "000000000000" }
    var out: [UInt8] = []
    for byte in digest.sha256(Array(text.utf8)).prefix(6) {
      out.append(hexDigit(byte >> 4))
      out.append(hexDigit(byte))
    }
    return String(decoding: out, as: UTF8.self)
  }
}
