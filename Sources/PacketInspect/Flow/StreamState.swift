/// What a client's byte stream is being read as.
public enum StreamMode: Sendable {
  /// The first bytes of a message whose protocol is not known yet.
  case detect
  /// A ClientHello.
  case tls
  /// A request head.
  case http
  /// A chunked request body.
  case chunks(ChunkedBodySkipper)
  /// A request body about whose end servers disagree.
  case contested(ContestedBody)
  /// An HTTP/2 connection.
  case http2(HTTP2Reader)
  /// What comes before a SOCKS proxy's tunnel.
  case socks(SOCKSReader)
  /// DNS messages with a length before each (RFC 7766).
  case dns
  /// Something else, searched for a hello or request that comes late (STARTTLS, SOCKS, CONNECT).
  case search
  /// The verdict is known; kept until the server has answered, so that a second copy of the hello is compared.
  case settled
}

/// The stream side of a TCP flow, only while someone still reads it.
public struct StreamState: Sendable {
  /// The client's bytes.
  public var assembler: StreamAssembler
  /// What they are read as.
  public var mode: StreamMode = .detect
  /// The acknowledgement number when the message in hand was complete: a later one means the server has answered.
  /// Nil after a message inside a SYN, which acknowledges nothing: the next segment tells.
  public var acknowledged: UInt32?
  /// True when a message was judged and the server's answer has not been acknowledged yet.
  public var awaitsAnswer = false
  /// Bytes searched in vain so far.
  public var searched = 0
  /// Starts of messages that turned out to be none.
  public var failures: UInt8 = 0
  /// True after a CONNECT or a SOCKS request: what follows speaks to the target, not to the proxy.
  public var isTunnel = false
  /// The host that it asked for, as text; empty when it named none.
  var tunnelTarget: [UInt8] = []
  /// Requests seen on this connection.
  public var requests: UInt32 = 0
  /// Bytes as the pool has counted them.
  fileprivate var counted = 0

  /// True when part of a message has come whose rest matters.
  var isUnfinished: Bool {
    if case .settled = mode { return false }
    return assembler.unparsedCount > 0 || assembler.hasGap
  }

  /// True when what comes next is understood only by what came before: whoever meets it without would miss the start of
  /// a message, or take part of a body for one.
  var mustBeRemembered: Bool {
    switch mode {
    case .settled: false
    case .search: isUnfinished
    case .detect, .tls, .http, .chunks, .contested, .http2, .socks, .dns: true
    }
  }

  init(sequence: UInt32) { assembler = StreamAssembler(sequence: sequence) }

  mutating func reset(sequence: UInt32) {
    assembler.reset(sequence: sequence)
    mode = .detect
    acknowledged = nil
    awaitsAnswer = false
    searched = 0
    failures = 0
    isTunnel = false
    tunnelTarget = []
    requests = 0
  }
}

/// Reused stream states: a flow has one only until its verdict no longer depends on bytes.
struct StreamPool: Sendable {
  private var states: ContiguousArray<StreamState> = []
  private var free: [Int32] = []
  /// Bytes that all streams hold, as of their last `recount`.
  private(set) var heldBytes = 0
  /// Released streams that keep their buffers for the next ones; beyond these a burst's memory is given back.
  private static var keptBuffers: Int { 1_024 }

  var inUse: Int { states.count - free.count }

  subscript(index: Int32) -> StreamState {
    // Not `_read`: Swift 6.3 without optimisation destroys what it yields after the access has ended.
    get { states[Int(index)] }
    _modify { yield &states[Int(index)] }
  }

  mutating func take(sequence: UInt32) -> Int32 {
    if let index = free.popLast() {
      states[Int(index)].reset(sequence: sequence)
      return index
    }
    states.append(StreamState(sequence: sequence))
    return Int32(states.count - 1)
  }

  /// Counts a stream's bytes again after it was changed.
  mutating func recount(_ index: Int32) {
    states[Int(index)].assembler.compact()
    let now = states[Int(index)].assembler.heldBytes
    heldBytes += now - states[Int(index)].counted
    states[Int(index)].counted = now
  }

  mutating func release(_ index: Int32) {
    heldBytes -= states[Int(index)].counted
    states[Int(index)].counted = 0
    if free.count < Self.keptBuffers {
      states[Int(index)].reset(sequence: 0)
    } else {
      states[Int(index)] = StreamState(sequence: 0)
    }
    free.append(index)
  }
}

/// How a flow came by its name.
public enum Claim: UInt8, Sendable {
  /// TLS server_name.
  case sni
  /// server_name beside an encrypted ClientHello: a public name, never the real host.
  case publicName
  /// Host, or an absolute target's authority.
  case host
  /// The target of CONNECT, or a Host claimed inside such a tunnel or towards a proxy.
  case tunnelTarget
  /// server_name inside a tunnel.
  case tunnelSNI
  /// server_name in a QUIC hello.
  case quicSNI

  /// The evidence of a destination when a trusted answer gave the name its address.
  var corroborated: Evidence {
    switch self {
    case .sni, .tunnelSNI: .sni
    case .quicSNI: .quicSNI
    case .publicName, .host, .tunnelTarget: .host
    }
  }

  /// The same when nothing did.
  var unverified: Evidence { self == .sni || self == .tunnelSNI || self == .quicSNI ? .sniUnverified : .hostUnverified }
}
