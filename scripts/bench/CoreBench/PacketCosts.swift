import PacketInspect

/// What the inspector made of one packet, told by the events that it gave rise to.
struct PacketKind {
  /// Messages that were judged, by protocol.
  var hellos = 0
  var quicHellos = 0
  var requests = 0
  var questions = 0
  var answers = 0
  /// True when it was answered from its flow's decision.
  var isFast = false

  /// Messages that were judged.
  var messages: Int { hellos + quicHellos + requests + questions + answers }

  /// In words.
  var text: String {
    let parts = [
      (hellos, "TLS hello"), (quicHellos, "QUIC hello"), (requests, "HTTP request"), (questions, "DNS question"),
      (answers, "DNS answer"),
    ].filter { $0.0 > 0 }.map { $0.0 == 1 ? $0.1 : "\($0.0) \($0.1)s" }
    if !parts.isEmpty { return parts.joined(separator: ", ") }
    return isFast ? "decided flow" : "no whole message"
  }
}

/// Counts events by kind, and keeps none.
struct KindSink: EventSink {
  private var kind = PacketKind()
  var wantsFacts: Bool { false }

  mutating func record(_ fact: Fact) {}

  mutating func record(_ event: consuming Event) {
    switch event.body {
    case .tls: kind.hellos += 1
    case .quic: kind.quicHellos += 1
    case .http: kind.requests += 1
    case .dnsQuery: kind.questions += 1
    case .dnsAnswer: kind.answers += 1
    default: break
    }
  }

  mutating func take() -> PacketKind {
    defer { kind = PacketKind() }
    return kind
  }
}

/// Packets' costs as a group's figures.
enum PacketCosts {
  /// What one packet cost.
  struct Cost {
    var nanoseconds: UInt64
    var kind: PacketKind
    var name: String
    var length: Int
  }

  /// Packets, median and 99th percentile, of all and of those that brought a whole message, and the slowest ones.
  static func json(_ group: String, _ costs: [Cost]) -> String {
    let sorted = costs.sorted { $0.nanoseconds > $1.nanoseconds }
    let slowest = sorted.prefix(8).map {
      "{\"name\":\"\($0.name)\",\"kind\":\"\($0.kind.text)\",\"nanoseconds\":\($0.nanoseconds),\"length\":\($0.length)}"
    }
    let all = figures(sorted.map(\.nanoseconds))
    let messages = figures(sorted.filter { $0.kind.messages > 0 }.map(\.nanoseconds))
    return
      "{\"group\":\"\(group)\",\"all\":\(all),\"messages\":\(messages),\"slowest\":[\(slowest.joined(separator: ","))]}"
  }

  /// Of nanoseconds, the most first.
  private static func figures(_ sorted: [UInt64]) -> String {
    guard let most = sorted.first else { return "{\"packets\":0,\"median\":0,\"p99\":0,\"max\":0}" }
    return
      "{\"packets\":\(sorted.count),\"median\":\(sorted[sorted.count / 2]),\"p99\":\(sorted[sorted.count / 100]),\"max\":\(most)}"
  }
}
