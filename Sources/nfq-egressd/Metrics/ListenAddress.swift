import PacketInspect

/// An address and port to listen at: `127.0.0.1:9478`, `[::1]:9478`.
struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address.
  var address: IPAddress
  /// The port.
  var port: UInt16

  /// From its text; nil when it is none.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits), port > 0,
      let address = IPAddress(String(host)), address.isIPv4 != isBracketed
    else { return nil }
    self.address = address
    self.port = port
  }

  /// As it is written.
  var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
