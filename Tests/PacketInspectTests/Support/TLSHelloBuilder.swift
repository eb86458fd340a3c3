/// Writes ClientHellos byte by byte, sound ones unless told otherwise.
struct TLSHelloBuilder {
  var legacyVersion: UInt16 = 0x0303
  var recordVersion: UInt16 = 0x0301
  var sessionID = [UInt8](repeating: 7, count: 32)
  var cipherSuites: [UInt16] = [0x1a1a, 0x1301, 0x1302, 0xc02b]
  /// Type and body of each extension, in order. Nil leaves the extension block out altogether.
  var extensions: [(UInt16, [UInt8])]? = []

  init() {}

  /// With a server name and the usual company.
  init(name: String) {
    extensions = [
      (0x2a2a, []),
      (0, Self.serverName(name)),
      (16, Self.vector16(Self.vector8(Array("h2".utf8)) + Self.vector8(Array("http/1.1".utf8)))),
      (43, Self.vector8(Self.words([0x3a3a, 0x0304, 0x0303]))),
      (10, Self.vector16(Self.words([0x4a4a, 0x11ec, 29]))),
      (13, Self.vector16(Self.words([0x0403, 0x0804]))),
    ]
  }

  static func words(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] } }
  static func vector8(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count)] + bytes }
  static func vector16(_ bytes: [UInt8]) -> [UInt8] { words([UInt16(bytes.count)]) + bytes }
  static func nameEntry(_ bytes: [UInt8], type: UInt8 = 0) -> [UInt8] { [type] + vector16(bytes) }
  static func serverName(_ name: String) -> [UInt8] { vector16(nameEntry(Array(name.utf8))) }

  /// The handshake message.
  var message: [UInt8] {
    var body = Self.words([legacyVersion]) + [UInt8](repeating: 0x5a, count: 32) + Self.vector8(sessionID)
    body += Self.vector16(Self.words(cipherSuites)) + [1, 0]
    if let extensions {
      body += Self.vector16(extensions.flatMap { Self.words([$0.0]) + Self.vector16($0.1) })
    }
    return [1, UInt8(body.count >> 16), UInt8(body.count >> 8 & 0xff), UInt8(body.count & 0xff)] + body
  }

  /// The message in one record.
  var stream: [UInt8] { record(message) }

  /// The message in records of at most `size` bytes.
  func stream(recordSize size: Int) -> [UInt8] {
    let message = message
    return stride(from: 0, to: message.count, by: size).flatMap {
      record(Array(message[$0..<min($0 + size, message.count)]))
    }
  }

  func record(_ content: [UInt8], type: UInt8 = 22) -> [UInt8] {
    [type] + Self.words([recordVersion]) + Self.vector16(content)
  }
}
