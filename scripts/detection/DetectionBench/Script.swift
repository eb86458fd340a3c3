/// What an agent does, as the packets that live rules queue of it: what it sends, and DNS answers.
struct Script {
  static let agent: UInt32 = 0x0a58_0007
  static let resolver = Endpoint(address: 0x0a00_0035, port: 53)

  enum Step {
    case question(name: String, type: UInt16, answer: UInt32?, ttl: UInt16, port: UInt16)
    /// The payload, then so many bytes that are not looked at.
    case segment(
      client: UInt16, server: Endpoint, flags: UInt8, sequence: UInt32, acknowledgement: UInt32, payload: [UInt8],
      more: Int)
    case datagram(client: UInt16, server: Endpoint, payload: [UInt8])
    case echo(UInt32, length: Int)
  }

  /// Sent and received, so many seconds after the flow's start.
  struct Exchange {
    var at: Double
    var out: Int
    var back: Int
    init(_ at: Double, out: Int, back: Int) { (self.at, self.out, self.back) = (at, out, back) }
  }

  enum Kind {
    case tls
    case ssh
    /// Its TLS begins after a few bytes in the clear.
    case database
    /// A line of text, as mail and chat begin.
    case text(String)
    case request(method: String, target: String, body: Int)
  }

  private(set) var steps: [(time: Double, order: Int, step: Step)] = []
  /// Every lookup and connection, for the count of contacts.
  private(set) var touches: [(time: Double, host: String)] = []
  /// What an attack has done: when, and how many bytes it sent.
  var hostile: [(time: Double, bytes: Int)] = []
  private var port: UInt16 = 1_024
  private var resolved: [String: (time: Double, address: UInt32)] = [:]

  static func address(_ name: String) -> UInt32 {
    var hash: UInt32 = 2_166_136_261
    for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return 0x2d00_0000 | hash >> 8
  }

  /// Looks a name up, unless the client still knows its address: for a minute, as libraries do.
  @discardableResult
  mutating func lookUp(_ name: String, at time: Double, address: UInt32? = nil, ttl: UInt16 = 300, again: Bool = false)
    -> UInt32
  {
    if !again, let known = resolved[name], known.time <= time, time - known.time < 60 { return known.address }
    let address = address ?? Self.address(name)
    resolved[name] = (time, address)
    question(name, type: 1, at: time, answer: address, ttl: ttl)
    return address
  }

  mutating func question(_ name: String, type: UInt16, at time: Double, answer: UInt32? = nil, ttl: UInt16 = 60) {
    touches.append((time, name))
    add(time, .question(name: name, type: type, answer: answer, ttl: ttl, port: nextPort()))
  }

  /// A connection to a name, looked up first.
  mutating func flow(
    _ name: String, _ kind: Kind = .tls, at time: Double, _ exchanges: [Exchange], port: UInt16 = 443, ttl: UInt16 = 300
  ) {
    let address = lookUp(name, at: time - 0.03, ttl: ttl)
    flow(to: Endpoint(address: address, port: port), name: name, kind, at: time, exchanges)
  }

  /// A connection to an address; without a name its hello has none.
  mutating func flow(
    to server: Endpoint, name: String?, _ kind: Kind = .tls, at time: Double, _ exchanges: [Exchange],
    touching: Bool = true
  ) {
    let client = nextPort()
    if touching { touches.append((time, name ?? "\(server.address)")) }
    var sequence: UInt32 = 1_001
    var acknowledged = UInt32(truncatingIfNeeded: steps.count &* 2_654_435_761)
    var now = time
    func segment(_ flags: UInt8, _ payload: [UInt8] = [], more: Int = 0) -> Step {
      .segment(
        client: client, server: server, flags: flags, sequence: sequence, acknowledgement: acknowledged,
        payload: payload, more: more)
    }
    add(
      now,
      .segment(
        client: client, server: server, flags: PacketWriter.Flags.syn, sequence: 1_000, acknowledgement: 0, payload: [],
        more: 0))
    now += 0.02
    add(now, segment(PacketWriter.Flags.ack))
    var openings: [[UInt8]] = []
    var isTLS = true
    switch kind {
    case .tls: openings = [Message.hello(name)]
    case .database: openings = [[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], Message.hello(name)]
    case .ssh: (openings, isTLS) = ([Array("SSH-2.0-OpenSSH_9.9\r\n".utf8)], false)
    case .text(let line): (openings, isTLS) = ([Array((line + "\r\n").utf8)], false)
    case .request(let method, let target, let body):
      openings = [Message.request(method, target, host: name ?? "", bodyLength: body)]
      isTLS = false
    }
    for opening in openings {
      add(now + 0.001, segment(PacketWriter.Flags.pushAck, opening))
      sequence &+= UInt32(opening.count)
      acknowledged &+= 1
      now += 0.03
    }
    if isTLS {
      acknowledged &+= 3_500
      now += 0.02
      add(now, segment(PacketWriter.Flags.ack))
      add(now + 0.001, segment(PacketWriter.Flags.pushAck, more: 64))
      sequence &+= 64
      now += 0.002
    }
    for exchange in exchanges {
      now = max(time + 0.1 + exchange.at, now)
      var left = exchange.out
      while left > 0 {
        let part = min(left, 60_000)
        add(now, segment(PacketWriter.Flags.pushAck, more: part))
        sequence &+= UInt32(part)
        left -= part
        now += 0.002
      }
      let pieces = max(1, min(8, exchange.back / 20_000))
      for _ in 0..<pieces {
        acknowledged &+= UInt32(exchange.back / pieces)
        now += 0.03
        add(now, segment(PacketWriter.Flags.ack))
      }
    }
    add(now + 0.1, segment(PacketWriter.Flags.fin))
  }

  mutating func datagram(to server: Endpoint, _ payload: [UInt8], at time: Double) {
    add(time, .datagram(client: nextPort(), server: server, payload: payload))
  }

  mutating func echo(_ address: UInt32, length: Int, at time: Double) { add(time, .echo(address, length: length)) }

  private mutating func nextPort() -> UInt16 {
    port = port == .max ? 1_024 : port + 1
    return port
  }

  private mutating func add(_ time: Double, _ step: Step) { steps.append((max(0, time), steps.count, step)) }

  mutating func sort() {
    steps.sort { ($0.time, $0.order) < ($1.time, $1.order) }
    touches.sort { $0.time < $1.time }
    hostile.sort { $0.time < $1.time }
  }
}
