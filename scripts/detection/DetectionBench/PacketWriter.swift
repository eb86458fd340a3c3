/// One end of a flow.
struct Endpoint: Hashable {
  var address: UInt32
  var port: UInt16
}

/// Writes IPv4 packets into one buffer, without checksums: a simulation says that they are unreliable.
struct PacketWriter {
  private(set) var bytes: [UInt8] = []

  enum Flags {
    static let fin: UInt8 = 0x11
    static let syn: UInt8 = 0x02
    static let ack: UInt8 = 0x10
    static let pushAck: UInt8 = 0x18
  }

  /// A segment whose header claims `more` payload bytes than it holds, as a copy range cuts it.
  mutating func tcp(
    from source: Endpoint, to destination: Endpoint, flags: UInt8, sequence: UInt32, acknowledgement: UInt32,
    payload: [UInt8], more: Int
  ) {
    begin(6, source.address, destination.address, length: 20 + payload.count + more)
    add(source.port)
    add(destination.port)
    add(sequence)
    add(acknowledgement)
    bytes += [0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]
    bytes += payload
  }

  mutating func udp(from source: Endpoint, to destination: Endpoint, payload: [UInt8], more: Int = 0) {
    begin(17, source.address, destination.address, length: 8 + payload.count + more)
    add(source.port)
    add(destination.port)
    add(UInt16(8 + payload.count + more))
    bytes += [0, 0]
    bytes += payload
  }

  /// An echo request with so many bytes of data.
  mutating func echo(from source: UInt32, to destination: UInt32, length: Int) {
    begin(1, source, destination, length: 8 + length)
    bytes += [8, 0, 0, 0, 0, 7, 0, 1]
    bytes.append(contentsOf: repeatElement(0x61, count: length))
  }

  private mutating func begin(_ proto: UInt8, _ source: UInt32, _ destination: UInt32, length: Int) {
    bytes.removeAll(keepingCapacity: true)
    bytes += [0x45, 0]
    add(UInt16(20 + length))
    bytes += [0, 0, 0x40, 0, 64, proto, 0, 0]
    add(source)
    add(destination)
  }

  private mutating func add(_ value: UInt16) {
    bytes.append(UInt8(value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  private mutating func add(_ value: UInt32) {
    add(UInt16(value >> 16))
    add(UInt16(truncatingIfNeeded: value))
  }
}

/// Messages that packets carry.
enum Message {
  private static func words(_ values: UInt16...) -> [UInt8] {
    values.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
  }

  private static func vector(_ bytes: [UInt8]) -> [UInt8] { words(UInt16(bytes.count)) + bytes }

  /// A ClientHello (RFC 8446 section 4.1.2); without a name it has no server_name.
  static func hello(_ name: String?) -> [UInt8] {
    var extensions: [UInt8] = []
    if let name { extensions += words(0) + vector(vector([0] + vector(Array(name.utf8)))) }
    extensions += words(16) + vector(vector([2] + Array("h2".utf8) + [8] + Array("http/1.1".utf8)))
    extensions += words(43) + vector([4] + words(0x0304, 0x0303))
    extensions += words(10) + vector(vector(words(0x11ec, 29)))
    extensions += words(13) + vector(vector(words(0x0403, 0x0804)))
    var body = words(0x0303) + [UInt8](repeating: 0x5a, count: 32) + [32] + [UInt8](repeating: 7, count: 32)
    body += vector(words(0x1301, 0x1302, 0xc02b)) + [1, 0] + vector(extensions)
    let message = [1, 0] + words(UInt16(body.count)) + body
    return [22] + words(0x0301) + vector(message)
  }

  /// A DNS question (RFC 1035 section 4), and its answer where there is an address.
  static func dns(_ name: String, type: UInt16, id: UInt16, answer: UInt32? = nil, ttl: UInt16 = 300) -> [UInt8] {
    var message = words(id, answer == nil ? 0x0100 : 0x8180, 1, answer == nil ? 0 : 1, 0, 0)
    for label in name.utf8.split(separator: 0x2e) { message += [UInt8(label.count)] + Array(label) }
    message += [0] + words(type, 1)
    if let answer {
      message += words(0xc00c, 1, 1, 0, ttl, 4, UInt16(answer >> 16), UInt16(truncatingIfNeeded: answer))
    }
    return message
  }

  static func request(_ method: String, _ target: String, host: String, bodyLength: Int) -> [UInt8] {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: agent/1.0\r\nAccept: */*\r\n"
    if bodyLength > 0 { head += "Content-Type: application/json\r\nContent-Length: \(bodyLength)\r\n" }
    return Array((head + "\r\n").utf8)
  }
}
