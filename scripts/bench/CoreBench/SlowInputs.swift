import FuzzEntries
import PacketInspect

/// What an agent would send to make single packets dear: the shapes that a look at the code suggests.
enum SlowInputs {
  /// A question, a hello and a request of another agent.
  static let warmUp: [[UInt8]] = {
    var traffic = Traffic(seed: 3)
    let agent = Endpoint(address: 0x0a07_0003, port: 41_000)
    let resolver = Endpoint(address: 0x5db8_d835, port: 53)
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

  /// Name and records; each is traffic of one connection, its dear packets last.
  static var all: [(name: String, records: [InspectorEntry.Record])] {
    let client = Endpoint(address: 0x0a07_0002, port: 40_000)
    let server = Endpoint(address: 0x5db8_d80a, port: 80)
    func stream(_ pieces: [[UInt8]]) -> [InspectorEntry.Record] {
      var packets = [Packet.tcp(from: client, to: server, flags: Packet.Flags.syn, sequence: 1_000, acknowledgement: 0)]
      var next: UInt32 = 1_001
      for piece in pieces {
        packets.append(
          Packet.tcp(
            from: client, to: server, flags: Packet.Flags.pushAck, sequence: next, acknowledgement: 5_001, piece))
        next &+= UInt32(piece.count)
      }
      return packets.map { .packet($0, PacketMeta(hook: .forward, originalLength: $0.count)) }
    }
    let head = Array("GET / HTTP/1.1\r\nHost: a.example\r\nX: ".utf8)
    let lines = Array(String(repeating: "A: b\r\n", count: 2_650).utf8)
    let least = Array("GET / HTTP/1.1\nHost:a.example\n\n".utf8)
    let withBody = Array("POST / HTTP/1.1\nHost:a.example\nContent-Length:1\n\nx".utf8)
    return [
      (
        "a head of 16 KB, one byte more each time",
        stream([head + [UInt8](repeating: 0x61, count: 15_000)] + [[0x61], [0x61]])
      ),
      ("a head of 2,650 lines, one byte more each time", stream([Array(head.dropLast(3)) + lines, [0x61], [0x61]])),
      ("as many requests as 60 KB hold", stream([Array(repeatElement(least, count: 1_900).joined())])),
      ("as many requests with bodies as 60 KB hold", stream([Array(repeatElement(withBody, count: 1_150).joined())])),
      ("60 KB of bytes that begin hellos", stream([[0, 1], [UInt8](repeating: 0x16, count: 60_000)])),
      ("one request in an ordinary packet", stream([Array(repeatElement(least, count: 46).joined())])),
    ]
  }
}
