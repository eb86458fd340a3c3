import PacketInspect

/// One way of getting data out, or orders in, fast or slow.
struct AttackKind {
  var name: String
  /// Flags that tell of it.
  var flags: Set<FlagKind>
  /// What an operator has configured besides.
  var actions: [String: CategoryAction] = [:]
  /// A share of the session's steps goes elsewhere; nil for an attack beside the session.
  var share: (share: Double, category: String)?
  /// Adds it to a session, from a time on.
  var add: (inout SessionMaker, Double, _ isSlow: Bool) -> Void = { _, _, _ in }

  private typealias Exchange = Script.Exchange

  /// Attackers' hosts of one session: nobody's list has them.
  private static func host(_ maker: inout SessionMaker, _ number: Int) -> String { "in.drop\(number).example" }

  /// What an attacker encodes: text, as credentials and sources are.
  private static func stolen(_ maker: inout SessionMaker, _ length: Int) -> [UInt8] {
    let words = Array("password=hunter2 token: export const user_id ssh-rsa 2026 ".utf8)
    let start = Int(maker.random.next() % 57)
    return (0..<length).map { words[(start + $0) % words.count] }
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for place in stride(from: 0, to: bytes.count - 2, by: 3) {
      let value = UInt32(bytes[place]) << 16 | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2])
      for shift in [18, 12, 6, 0] { text.append(SessionMaker.mixed[Int(value >> UInt32(shift) & 63)]) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Requests in the clear, each with so many bytes encoded.
  private static func requests(_ maker: inout SessionMaker, _ start: Double, _ isSlow: Bool, inQuery: Bool) {
    var at = start
    for _ in 0..<20 {
      let data = stolen(&maker, isSlow ? 72 : 600)
      let text =
        maker.random.chance(0.5)
        ? base64(data) : maker.text(data.count * 8 / 6, SessionMaker.mixed)  // encrypted
      let target = inQuery ? "/c?d=\(text)" : "/a/\(text)"
      maker.script.flow(
        host(&maker, 1), .request(method: "GET", target: target, body: 0), at: at, [Exchange(0, out: 0, back: 300)],
        port: 80)
      maker.script.hostile.append((at, data.count))
      at += isSlow ? maker.random.exponential(mean: 1_200) : 3
    }
  }

  private static func connections(
    _ maker: inout SessionMaker, _ start: Double, count: Int, mean: Double, out: Int, back: Int,
    name: (inout SessionMaker, Int) -> String
  ) {
    var at = start
    for number in 0..<count {
      maker.script.flow(name(&maker, number), at: at, [Exchange(0, out: out, back: back)])
      maker.script.hostile.append((at, out))
      at += maker.random.exponential(mean: mean)
    }
  }

  private static func upload(
    _ maker: inout SessionMaker, to host: String, _ start: Double, _ isSlow: Bool, megabytes: Int
  ) {
    var pieces: [Exchange] = []
    var at = 0.0
    for _ in 0..<megabytes * 4 {
      pieces.append(Exchange(at, out: 250_000, back: 200))
      maker.script.hostile.append((start + at, 250_000))
      at += isSlow ? maker.random.exponential(mean: 30) : 0.05
    }
    maker.script.flow(host, at: start, pieces)
  }

  private static let tunnels: Set<FlagKind> = [.encodedHost, .labelBurst]

  static var all: [AttackKind] {
    [
      AttackKind(name: "encoded path", flags: [.encodedPath]) { requests(&$0, $1, $2, inQuery: false) },
      AttackKind(name: "encoded query", flags: [.encodedQuery]) { requests(&$0, $1, $2, inQuery: true) },
      AttackKind(name: "DNS tunnel, NULL, long labels", flags: tunnels) { maker, start, isSlow in
        var at = start
        for _ in 0..<(isSlow ? 400 : 2_000) {
          let labels = (0..<3).map { _ in maker.text(60, SessionMaker.upper) }.joined(separator: ".")
          maker.script.question("\(labels).t.drop1.example", type: 10, at: at)
          maker.script.hostile.append((at, 112))
          at += isSlow ? maker.random.exponential(mean: 30) : 0.05
        }
      },
      AttackKind(name: "DNS tunnel, TXT, medium labels", flags: tunnels) { maker, start, isSlow in
        var at = start
        for _ in 0..<(isSlow ? 400 : 2_000) {
          maker.script.question("\(maker.text(48, SessionMaker.mixed)).d.drop1.example", type: 16, at: at)
          maker.script.hostile.append((at, 36))
          at += isSlow ? maker.random.exponential(mean: 30) : 0.05
        }
      },
      AttackKind(name: "label burst", flags: tunnels) { maker, start, isSlow in
        var at = start
        for _ in 0..<800 {
          maker.script.lookUp("\(maker.hexadecimal(8)).drop1.example", at: at)
          maker.script.hostile.append((at, 4))
          at += isSlow ? maker.random.exponential(mean: 15) : 0.3
        }
      },
      AttackKind(name: "drip over many domains", flags: [.drip, .categoryShift]) { maker, start, isSlow in
        connections(&maker, start, count: 300, mean: isSlow ? 120 : 5, out: isSlow ? 11_000 : 9_000, back: 300) {
          host(&$0, $1 % 100)
        }
      },
      AttackKind(name: "drip to one domain", flags: [.drip, .categoryShift]) { maker, start, isSlow in
        connections(&maker, start, count: 600, mean: isSlow ? 60 : 4, out: 9_000, back: 300) { maker, _ in
          host(&maker, 1)
        }
      },
      AttackKind(name: "paste sites", flags: [.categoryShift, .drip], share: (0.5, "paste")),
      AttackKind(
        name: "paste sites, `paste: flag`", flags: [.categoryFlagged], actions: ["paste": .flag], share: (0.5, "paste")),
      AttackKind(name: "tunnelling services", flags: [.categoryShift, .drip], share: (0.5, "webhook-and-tunnel")),
      AttackKind(
        name: "tunnelling services, `webhook-and-tunnel: flag`", flags: [.categoryFlagged],
        actions: ["webhook-and-tunnel": .flag], share: (0.5, "webhook-and-tunnel")),
      AttackKind(name: "half of the mix unknown", flags: [.categoryShift], share: (0.5, "unknown")),
      AttackKind(name: "a quarter of the mix unknown", flags: [.categoryShift], share: (0.25, "unknown")),
      AttackKind(name: "a tenth of the mix unknown", flags: [.categoryShift], share: (0.1, "unknown")),
      AttackKind(name: "upload of 60 MB over TLS", flags: [.uploadHeavy, .uploadVolume]) { maker, start, isSlow in
        upload(&maker, to: host(&maker, 1), start, isSlow, megabytes: 60)
      },
      AttackKind(name: "beacon, jitter 15 %", flags: [.beacon]) { maker, start, isSlow in
        var at = start
        for _ in 0..<(isSlow ? 40 : 200) {
          maker.script.flow(host(&maker, 1), at: at, [Exchange(0, out: 280 + maker.random.zipf(50), back: 250)])
          maker.script.hostile.append((at, 300))
          at += (isSlow ? 600 : 30) * (0.85 + 0.3 * maker.random.unit())
        }
      },
      AttackKind(name: "beacon on one connection", flags: [.beacon]) { maker, start, isSlow in
        var pieces: [Exchange] = []
        var at = 0.0
        for _ in 0..<(isSlow ? 40 : 200) {
          pieces.append(Exchange(at, out: 280 + maker.random.zipf(50), back: 250))
          maker.script.hostile.append((start + at, 300))
          at += (isSlow ? 200 : 30) * (0.85 + 0.3 * maker.random.unit())
        }
        maker.script.flow(host(&maker, 1), at: start, pieces)
      },
      AttackKind(name: "fronting: a false name", flags: [.nameUnverified, .fronting]) { maker, start, isSlow in
        var at = start
        for number in 0..<20 {
          let server = Endpoint(address: 0x5e8c_0101 + UInt32(number % 3), port: 443)
          maker.script.flow(to: server, name: "docs.python.org", at: at, [Exchange(0, out: 4_000, back: 900)])
          maker.script.hostile.append((at, 4_000))
          at += isSlow ? maker.random.exponential(mean: 1_800) : 5
        }
      },
      AttackKind(name: "address literals", flags: [.addressLiteral]) { maker, start, isSlow in
        var at = start
        for number in 0..<12 {
          let server = Endpoint(address: 0x5e8c_0201 + UInt32(number), port: 443)
          maker.script.flow(to: server, name: nil, at: at, [Exchange(0, out: 900, back: 3_000)])
          maker.script.hostile.append((at, 900))
          at += isSlow ? maker.random.exponential(mean: 1_800) : 5
        }
      },
      AttackKind(name: "DNS over HTTPS", flags: [.hiddenDNS]) { maker, start, isSlow in
        var at = start
        for _ in 0..<12 {
          maker.script.flow("cloudflare-dns.com", at: at, [Exchange(0, out: 700, back: 900)])
          maker.script.hostile.append((at, 700))
          at += isSlow ? maker.random.exponential(mean: 1_800) : 5
        }
      },
      AttackKind(name: "DNS over HTTPS, resolver unknown", flags: [.hiddenDNS, .nameUnverified]) {
        maker, start, isSlow in
        var at = start
        for number in 0..<40 {
          maker.script.flow("in.quiet.example", at: at, [Exchange(0, out: 700, back: 900)])
          let name = "in.drop\(number % 20).example"
          maker.script.flow(
            to: Endpoint(address: Script.address(name), port: 443), name: name, at: at + 1,
            [Exchange(0, out: 900, back: 900)])
          maker.script.hostile.append((at + 1, 900))
          at += isSlow ? maker.random.exponential(mean: 900) : 5
        }
      },
      AttackKind(name: "TLS on an odd port", flags: [.oddPort]) { maker, start, isSlow in
        var at = start
        for _ in 0..<12 {
          maker.script.flow(host(&maker, 1), at: at, [Exchange(0, out: 900, back: 900)], port: 4_444)
          maker.script.hostile.append((at, 900))
          at += isSlow ? maker.random.exponential(mean: 1_800) : 5
        }
      },
      AttackKind(name: "a protocol not expected (IRC)", flags: [.newProtocol]) { maker, start, isSlow in
        var at = start
        for _ in 0..<6 {
          maker.script.flow(host(&maker, 1), .text("NICK bot"), at: at, [Exchange(0, out: 400, back: 900)], port: 6_667)
          maker.script.hostile.append((at, 400))
          at += isSlow ? maker.random.exponential(mean: 3_600) : 60
        }
      },
      AttackKind(name: "data in echo requests", flags: [.newProtocol]) { maker, start, isSlow in
        var at = start
        for _ in 0..<400 {
          maker.script.echo(0x5e8c_0301, length: 1_000, at: at)
          maker.script.hostile.append((at, 1_000))
          at += isSlow ? maker.random.exponential(mean: 20) : 0.1
        }
      },
      // Where the type's baseline lists such stores more may be put there.
      AttackKind(name: "upload of 60 MB to object storage", flags: [.uploadHeavy, .uploadVolume]) {
        let store = $0.book.host("cloud-provider", &$0.random)
        upload(&$0, to: store, $1, $2, megabytes: 60)
      },
      AttackKind(name: "upload of 240 MB to object storage", flags: [.uploadHeavy, .uploadVolume]) {
        let store = $0.book.host("cloud-provider", &$0.random)
        upload(&$0, to: store, $1, $2, megabytes: 240)
      },
    ]
  }
}
