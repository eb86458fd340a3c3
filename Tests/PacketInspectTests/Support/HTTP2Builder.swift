/// Writes what an HTTP/2 client sends, byte by byte.
enum HTTP2Builder {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  /// The preface with the SETTINGS that every client sends behind it.
  static let opening = preface + frame(4, [0, 3, 0, 0, 0, 100])

  static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8]) -> [UInt8] {
    let length = PacketBuilder.be32(UInt32(payload.count))
    return length[1...] + [type, flags] + PacketBuilder.be32(stream) + payload
  }

  /// A literal that changes no table (RFC 7541 section 6.2.2), or with `indexed` one that enters it.
  static func literal(_ name: String, _ value: String, indexed: Bool = false) -> [UInt8] {
    [indexed ? 0x40 : 0] + string(name) + string(value)
  }

  /// A string without Huffman coding, shorter than 127 bytes or a little longer.
  static func string(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return bytes.count < 127 ? [UInt8(bytes.count)] + bytes : [0x7f, UInt8(bytes.count - 127)] + bytes
  }

  /// The block of a GET.
  static func block(_ authority: String, more: [UInt8] = []) -> [UInt8] {
    [0x82, 0x86, 0x84] + [0x01] + string(authority) + more
  }

  /// A whole GET.
  static func get(_ authority: String, stream: UInt32 = 1, more: [UInt8] = []) -> [UInt8] {
    frame(1, flags: 0x05, stream: stream, block(authority, more: more))
  }
}
