import FuzzEntries
import PacketInspect

/// What an agent would send to make single packets dear: the shapes that a look at the code suggests.
enum SlowInputs {
  /// A question, a hello and a request of another agent.
  static let warmUp: [[UInt8]] = {
    var traffic = Traffic(seed: 3)
    let agent = Endpoint(address: 0x0a07_0003, port: 41_000)
    var packets = [Packet.udp(from: agent, to: resolver, Traffic.dns(Traffic.hostName(1), id: 1))]
    packets.append(
      Packet.udp(
        from: resolver, to: agent, Traffic.dns(Traffic.hostName(1), id: 1, answer: Traffic.address(1))))
    for (port, payload) in [
      (UInt16(443), traffic.clientHello(Traffic.hostName(1), shuffled: false)),
      (80, Traffic.request(Traffic.hostName(1))),
    ] {
      let server = Endpoint(address: Traffic.address(1), port: port)
      packets.append(
        Packet.tcp(from: agent, to: server, flags: Packet.Flags.syn, sequence: 1_000, acknowledgement: 0))
      packets.append(
        Packet.tcp(
          from: agent, to: server, flags: Packet.Flags.pushAck, sequence: 1_001, acknowledgement: 5_001, payload))
    }
    return packets
  }()

  /// Name and records; each is traffic of one agent, its dear packets last.
  static var all: [SlowInput] { streams + SlowDatagrams.all }

  private static let client = Endpoint(address: 0x0a07_0002, port: 40_000)
  private static let server = Endpoint(address: 0x5db8_d80a, port: 80)
  static let resolver = Endpoint(address: 0x5db8_d835, port: 53)

  /// A connection's packets: the SYN, and each piece in a segment.
  private static func stream(_ pieces: [[UInt8]], to server: Endpoint = Self.server, last: [UInt8]? = nil)
    -> [InspectorEntry.Record]
  {
    var packets = [Packet.tcp(from: client, to: server, flags: Packet.Flags.syn, sequence: 1_000, acknowledgement: 0)]
    var next: UInt32 = 1_001
    for piece in pieces {
      packets.append(
        Packet.tcp(
          from: client, to: server, flags: Packet.Flags.pushAck, sequence: next, acknowledgement: 5_001, piece))
      next &+= UInt32(piece.count)
    }
    if let last {
      packets.append(
        Packet.tcp(
          from: server, to: client, flags: Packet.Flags.pushAck, sequence: 5_001, acknowledgement: next, last))
    }
    return packets.map { .packet($0, PacketMeta(hook: .forward, originalLength: $0.count)) }
  }

  private static var streams: [SlowInput] {
    let head = Array("GET / HTTP/1.1\r\nHost: a.example\r\nX: ".utf8)
    let lines = Array(String(repeating: "A: b\r\n", count: 2_650).utf8)
    let least = Array("GET / HTTP/1.1\nHost:a.example\n\n".utf8)
    let withBody = Array("POST / HTTP/1.1\nHost:a.example\nContent-Length:1\n\nx".utf8)
    let chunked = Array("POST / HTTP/1.1\nHost:a.example\nTransfer-Encoding:chunked\n\n".utf8)
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    // GET, https, /, and an authority that the table of header fields keeps: then each request is five bytes of block.
    let first: [UInt8] = [0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84, 0x41, 9] + Array("a.example".utf8)
    let more: [UInt8] = [0, 0, 4, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84, 0xbe]
    let question = Traffic.dns("a.example", id: 7)
    var traffic = Traffic(seed: 4)
    let hello = Array(traffic.clientHello("a.example", shuffled: false).dropFirst(5))
    return [
      (
        "a head of 16 KB, one byte more each time",
        stream([head + [UInt8](repeating: 0x61, count: 15_000)] + [[0x61], [0x61]])
      ),
      ("a head of 2,650 lines, one byte more each time", stream([Array(head.dropLast(3)) + lines, [0x61], [0x61]])),
      ("as many requests as 60 KB hold", stream([repeated(least, 1_900)])),
      ("as many requests with bodies as 60 KB hold", stream([repeated(withBody, 1_150)])),
      ("60 KB of bytes that begin hellos", stream([[0, 1], [UInt8](repeating: 0x16, count: 60_000)])),
      ("one request in an ordinary packet", stream([repeated(least, 46)])),
      ("a body in 10,000 chunks", stream([chunked, repeated(Array("1\r\nx\r\n".utf8), 10_000)])),
      ("6,600 frames of HTTP/2", stream([preface + first, repeated([0, 0, 0, 0, 0, 0, 0, 0, 1], 6_600)])),
      ("as many requests of HTTP/2 as 60 KB hold", stream([preface + first, repeated(more, 4_600)])),
      ("as many questions over TCP as 60 KB hold", stream([repeated(list16(question), 2_000)], to: resolver)),
      (
        "as many answers over TCP as 60 KB hold",
        stream(
          [list16(question)], to: resolver, last: repeated(list16(Traffic.dns("a.example", id: 7, answer: 1)), 1_300))
      ),
      ("a hello in records of one byte", stream([hello.flatMap { [0x16, 3, 1, 0, 1, $0] }])),
    ]
  }

  static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] { Array(repeatElement(bytes, count: count).joined()) }
}

/// What it is, and its packets.
typealias SlowInput = (name: String, records: [InspectorEntry.Record])
