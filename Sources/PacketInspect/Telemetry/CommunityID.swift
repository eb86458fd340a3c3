/// The SHA-1 that the Community ID is defined with, injected.
public protocol SHA1Digest {
  /// The 20 bytes of SHA-1 over `bytes`.
  func sha1(_ bytes: [UInt8]) -> [UInt8]
}

/// Community ID version 1 (Corelight's public specification): a flow's identity that other tools agree on.
enum CommunityID {
  static func text(_ flow: EventFlow, digest: some SHA1Digest) -> String {
    let one = (flow.client.networkBytes, flow.clientPort)
    let two = (flow.server.networkBytes, flow.serverPort)
    let ordered = one.0.lexicographicallyPrecedes(two.0) || (one.0 == two.0 && one.1 <= two.1)
    let (first, second) = ordered ? (one, two) : (two, one)
    var input: [UInt8] = [0, 0]
    input += first.0
    input += second.0
    input += [flow.proto, 0]
    if flow.proto == IPProtocol.tcp.rawValue || flow.proto == IPProtocol.udp.rawValue {
      for port in [first.1, second.1] { input += [UInt8(port >> 8), UInt8(port & 0xff)] }
    }
    return "1:" + base64(digest.sha1(input))
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  private static func base64(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let left = bytes.count - index
      let group =
        UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
        | (left > 2 ? UInt32(bytes[index + 2]) : 0)
      for place in 0..<4 {
        out.append(place <= left ? alphabet[Int(group >> UInt32(18 - 6 * place) & 0x3f)] : UInt8(ascii: "="))
      }
      index += 3
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension IPAddress {
  /// The address in network order: 4 or 16 bytes.
  public var networkBytes: [UInt8] {
    let count = isIPv4 ? 4 : 16
    return (0..<count).map { index in
      let fromEnd = count - 1 - index
      return UInt8(truncatingIfNeeded: (fromEnd < 8 ? low : high) >> UInt64(8 * (fromEnd % 8)))
    }
  }
}
