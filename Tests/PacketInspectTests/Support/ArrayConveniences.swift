import PacketInspect

// `#expect` cannot take a span in its arguments: these take arrays.

extension DNSMessage {
  static func looksLikeQuery(_ bytes: [UInt8]) -> Bool { looksLikeQuery(bytes.rawSpan) }
  static func looksLikeResponse(_ bytes: [UInt8]) -> Bool { looksLikeResponse(bytes.rawSpan) }
  static func tcpLength(_ bytes: [UInt8]) -> Int? { tcpLength(bytes.rawSpan) }
}

extension ChunkedBodySkipper {
  mutating func consume(_ bytes: [UInt8]) -> Int { consume(bytes.rawSpan) }
}
