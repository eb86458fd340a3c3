import TestSupport

/// Made-up traffic, the same in every run: hellos as browsers send them, DNS messages, requests.
struct Traffic {
  private var bits: SplitMix64

  init(seed: UInt64) { bits = SplitMix64(seed: seed) }

  mutating func next() -> UInt64 { bits.next() }

  private mutating func random(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }

  /// The n-th host name: 9 to 31 bytes long.
  static func hostName(_ number: Int) -> String {
    let label = String(repeating: "abcdefghijklmnopqrst", count: 1).prefix(1 + number % 20)
    return "\(label)\(number % 1000).shop\(number % 7).com"
  }

  /// The address that the n-th name is looked up to have; public, so that the inspector counts it.
  static func address(_ number: Int) -> UInt32 { 0x5db8_0000 | UInt32(truncatingIfNeeded: number % 4096) << 2 | 1 }

  /// A TLS record of 517 bytes with a ClientHello (RFC 8446 section 4.1.2) that names `name`; its padding extension
  /// (RFC 7685) fills what is left. `shuffled` puts the extensions in a random order, as browsers do today.
  mutating func clientHello(_ name: String, shuffled: Bool) -> [UInt8] {
    let text = Array(name.utf8)
    let ciphers: [UInt16] = [
      0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
      0x002f, 0x0035,
    ]
    let signatures: [UInt16] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
    var extensions: [(type: UInt16, body: [UInt8])] = [
      (0x4a4a, []), (0, list16([0] + list16(text))), (23, []), (0xff01, [0]),
      (10, list16(numbers([0x5a5a, 0x11ec, 0x001d, 0x0017, 0x0018]))), (11, [1, 0]), (35, []),
      (16, list16([2] + Array("h2".utf8) + [8] + Array("http/1.1".utf8))), (5, [1, 0, 0, 0, 0]),
      (13, list16(numbers(signatures))), (18, []),
      (51, list16(numbers([0x5a5a]) + list16([0]) + numbers([0x001d]) + list16(random(32)))), (45, [1, 1]),
      (43, [6] + numbers([0x6a6a, 0x0304, 0x0303])), (27, [2, 0, 2]),
    ]
    let used = extensions.reduce(0) { $0 + 4 + $1.body.count }
    let fixed = 2 + 32 + 33 + 2 + ciphers.count * 2 + 2 + 2
    extensions.append((21, [UInt8](repeating: 0, count: 508 - fixed - used - 4)))
    if shuffled {
      for last in stride(from: extensions.count - 1, to: 0, by: -1) {
        extensions.swapAt(last, Int(next() % UInt64(last + 1)))
      }
    }
    let block = extensions.flatMap { numbers([$0.type]) + list16($0.body) }
    let body: [UInt8] =
      [3, 3] + random(32) + [32] + random(32) + list16(numbers(ciphers)) + [1, 0] + list16(block)
    return [22, 3, 1] + list16([1, 0] + list16(body))
  }

  /// A DNS message (RFC 1035 section 4.1) that asks for the address of `name`, or with `answer` answers it.
  static func dns(_ name: String, id: UInt16, answer: UInt32? = nil) -> [UInt8] {
    var message = numbers([id, answer == nil ? 0x0100 : 0x8180, 1, answer == nil ? 0 : 1, 0, 0])
    for label in name.split(separator: ".") { message += [UInt8(label.utf8.count)] + Array(label.utf8) }
    message += [0, 0, 1, 0, 1]
    if let answer {
      message += [0xc0, 12, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4]
      message += numbers([UInt16(answer >> 16), UInt16(truncatingIfNeeded: answer)])
    }
    return message
  }

  /// A request head as a command-line client sends it.
  static func request(_ name: String) -> [UInt8] {
    let lines = [
      "GET /docs/v2/index.json?page=3&size=50 HTTP/1.1", "Host: \(name)", "User-Agent: agent/1.0", "Accept: */*",
      "Accept-Encoding: gzip, deflate", "Connection: keep-alive", "", "",
    ]
    return Array(lines.joined(separator: "\r\n").utf8)
  }
}

/// Numbers in network byte order.
func numbers(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] } }

/// A vector with its length in two bytes before it.
func list16(_ bytes: [UInt8]) -> [UInt8] { numbers([UInt16(bytes.count)]) + bytes }

/// One end of a flow.
struct Endpoint {
  var address: UInt32
  var port: UInt16
}

/// IPv4 packets without checksums: the parsers leave those to the kernel.
enum Packet {
  /// TCP flags as they lie in the header.
  enum Flags {
    static let syn: UInt8 = 0x02
    static let ack: UInt8 = 0x10
    static let pushAck: UInt8 = 0x18
  }

  /// A segment with the timestamps option, as nearly every connection has it.
  static func tcp(
    from source: Endpoint, to destination: Endpoint, flags: UInt8, sequence: UInt32, acknowledgement: UInt32,
    _ payload: [UInt8] = []
  ) -> [UInt8] {
    var segment = numbers([source.port, destination.port]) + number32(sequence) + number32(acknowledgement)
    segment += [0x80, flags] + numbers([502, 0, 0]) + [1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0] + payload
    return ip(6, source.address, destination.address, segment)
  }

  /// A datagram.
  static func udp(from source: Endpoint, to destination: Endpoint, _ payload: [UInt8]) -> [UInt8] {
    let header = numbers([source.port, destination.port, UInt16(8 + payload.count), 0])
    return ip(17, source.address, destination.address, header + payload)
  }

  private static func ip(_ proto: UInt8, _ source: UInt32, _ destination: UInt32, _ payload: [UInt8]) -> [UInt8] {
    [0x45, 0] + numbers([UInt16(20 + payload.count), 0, 0x4000]) + [64, proto, 0, 0] + number32(source)
      + number32(destination) + payload
  }

  private static func number32(_ value: UInt32) -> [UInt8] {
    numbers([UInt16(value >> 16), UInt16(truncatingIfNeeded: value)])
  }
}
