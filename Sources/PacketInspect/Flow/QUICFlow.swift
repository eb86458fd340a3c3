/// One QUIC connection attempt of a client on a UDP flow, from its first Initial packet.
public struct QUICConnection: Sendable {
  /// How far its hello is.
  public enum Phase: Sendable {
    /// No packet could be opened with its keys.
    case unopened
    /// Opened; the hello is not complete.
    case assembling
    /// The hello was judged.
    case judged
    /// Judged and refused by itself, without the rest of the flow.
    case refused(Verdict)
    /// Its bytes were given up for want of room before the hello was complete.
    case forgotten
  }

  /// The Destination Connection ID its keys come from: the client's own choice, or a Retry's.
  public let destination: QUICConnectionID
  /// The ID that the server chose instead, once the client used it.
  public var later: QUICConnectionID?
  /// How far it is.
  public var phase: Phase = .unopened
  /// The handshake bytes.
  public var stream = CryptoStream()
  /// The name its hello claimed, kept for a change of policy; empty when it claimed none.
  public var name: [UInt8] = []
  /// When an Initial packet last came.
  public var lastSeen: Timestamp
  /// The version it began in.
  public let version: QUICVersion
  private let keys: QUICInitialKeys
  /// After compatible version negotiation (RFC 9368 section 2.3) both sides protect Initial packets by another
  /// version's keys, from the same ID.
  private var negotiated: (version: QUICVersion, keys: QUICInitialKeys)?
  private var largest: UInt64?

  init(destination: QUICConnectionID, version: QUICVersion, keys: QUICInitialKeys, at now: Timestamp) {
    self.destination = destination
    self.version = version
    self.keys = keys
    lastSeen = now
  }

  /// True once a packet was opened.
  public var isOpened: Bool { if case .unopened = phase { false } else { true } }
  /// True once the hello was judged.
  public var isJudged: Bool { if case .judged = phase { true } else { false } }
  /// True while the hello is awaited.
  public var isAssembling: Bool { if case .assembling = phase { true } else { false } }
  /// True while no byte of the hello's start has come.
  var lacksStart: Bool { isAssembling && stream.contiguous == 0 }
  /// True when another look at its later packets would not tell what its earlier ones did.
  var mustBeRemembered: Bool {
    switch phase {
    case .assembling, .refused, .forgotten: true
    case .unopened, .judged: false
    }
  }

  /// Opens a packet with this connection's keys.
  mutating func open(
    _ header: QUICLongHeader, _ datagram: RawSpan, _ cryptography: any QUICCryptography, _ now: Timestamp,
    _ plain: inout [UInt8]
  ) -> Bool {
    var fitting: QUICInitialKeys?
    if header.version == version { fitting = keys }
    if let negotiated, negotiated.version == header.version { fitting = negotiated.keys }
    guard let fitting,
      let number = QUICInitial.open(
        header, in: datagram, keys: fitting, largest: largest, by: cryptography, into: &plain)
    else { return false }
    largest = max(largest ?? 0, number)
    lastSeen = now
    if !isOpened { phase = .assembling }
    return true
  }

  /// Prepares for packets of another version in the same connection.
  mutating func negotiate(_ version: QUICVersion, _ cryptography: any QUICCryptography) -> Bool {
    guard isOpened, version != self.version, negotiated == nil,
      let keys = cryptography.clientInitialKeys(version: version, destinationConnectionID: destination.bytes)
    else { return false }
    negotiated = (version, keys)
    return true
  }
}

/// The QUIC side of a UDP flow: every connection that its client attempts on this socket.
public struct QUICFlow: Sendable {
  /// Connections remembered at once. A client makes one, or two after a Retry or version negotiation; keys are
  /// derived once for each, so this bounds that work as well.
  public static let maximumConnections = 16
  /// Time after its last Initial packet in which a connection's place is not given to another, in nanoseconds:
  /// longer than honest servers wait for the rest of a handshake.
  public static let connectionMemory: Int64 = 60 * 1_000_000_000
  /// Datagrams accepted while the only hello is incomplete; more count the flow as its address. A first flight with
  /// early data is about ten.
  public static let maximumWaiting = 64

  /// Times that keys are tried on the Initial packets of one datagram. One of an ID that is not known is tried with each
  /// connection's keys, and a datagram may hold several; what is beyond this is dropped.
  public static let maximumOpenings = 24
  /// The same in one second of a socket: many times what 16 handshakes with losses take.
  public static let maximumOpeningsPerSecond = 256

  /// What became of an Initial packet.
  public enum Opening: Sendable {
    /// It belongs to this connection and did this to its stream.
    case opened(connection: Int, CryptoStream.Outcome)
    /// No keys open it.
    case unopened
    /// It would begin one connection too many, or keys were tried too often.
    case noRoom
  }

  /// The connections, oldest first until places are used again.
  public internal(set) var connections: [QUICConnection] = []
  /// Datagrams accepted while nothing was judged.
  public internal(set) var waiting = 0
  /// Times that keys were tried since `second` began.
  private var openings = 0
  private var second: Int64 = 0

  /// True while a hello is awaited.
  public var isAssembling: Bool { connections.contains { $0.isAssembling } }
  /// True when a connection must be remembered.
  var mustBeRemembered: Bool { connections.contains { $0.mustBeRemembered } }
  /// Handshake bytes held.
  public var heldBytes: Int { connections.reduce(0) { $0 + $1.stream.heldBytes } }

  /// Opens an Initial packet: with the keys of its ID if they are known, with those of each connection that may have
  /// moved to an ID of the server's choice, at last with keys of its own.
  ///
  /// With `isReplay` the longest silent place is given up when there is none: a capture cannot send again. `left` counts
  /// the datagram's openings down from `maximumOpenings`.
  mutating func open(
    _ header: QUICLongHeader, _ datagram: RawSpan, _ cryptography: any QUICCryptography, isReplay: Bool,
    _ left: inout Int, _ now: Timestamp, _ plain: inout [UInt8]
  ) -> Opening {
    var isKnown = false
    for index in connections.indices.reversed()
    where connections[index].destination == header.destination || connections[index].later == header.destination {
      isKnown =
        isKnown
        || (connections[index].destination == header.destination && connections[index].version == header.version)
      if let opening = take(index, header, datagram, cryptography, &left, now, &plain) { return opening }
    }
    for index in connections.indices.reversed() where connections[index].isOpened {
      if let opening = take(index, header, datagram, cryptography, &left, now, &plain) {
        connections[index].later = header.destination
        return opening
      }
    }
    // With the connection's own ID another version is no upgrade: a client that begins anew after version negotiation
    // may keep its ID, and says another hello.
    if let latest = connections.indices.last(where: { connections[$0].isOpened }),
      connections[latest].destination != header.destination,
      connections[latest].negotiate(header.version, cryptography),
      let opening = take(latest, header, datagram, cryptography, &left, now, &plain)
    {
      connections[latest].later = header.destination
      return opening
    }
    if isKnown { return .unopened }
    guard let place = freePlace(isReplay: isReplay, now) else { return .noRoom }
    guard
      let keys = cryptography.clientInitialKeys(
        version: header.version, destinationConnectionID: header.destination.bytes)
    else { return .unopened }
    let connection = QUICConnection(destination: header.destination, version: header.version, keys: keys, at: now)
    if place == connections.count { connections.append(connection) } else { connections[place] = connection }
    return take(place, header, datagram, cryptography, &left, now, &plain) ?? .unopened
  }

  /// True when keys may be tried once more.
  private mutating func mayOpen(_ left: inout Int, _ now: Timestamp) -> Bool {
    let current = now.nanoseconds / 1_000_000_000
    if current != second {
      second = current
      openings = 0
    }
    guard left > 0, openings < Self.maximumOpeningsPerSecond else { return false }
    left -= 1
    openings += 1
    return true
  }

  private mutating func take(
    _ index: Int, _ header: QUICLongHeader, _ datagram: RawSpan, _ cryptography: any QUICCryptography,
    _ left: inout Int, _ now: Timestamp, _ plain: inout [UInt8]
  ) -> Opening? {
    guard mayOpen(&left, now) else { return .noRoom }
    guard connections[index].open(header, datagram, cryptography, now, &plain) else { return nil }
    return .opened(connection: index, QUICInitial.collect(plain.rawSpan, into: &connections[index].stream))
  }

  private func freePlace(isReplay: Bool, _ now: Timestamp) -> Int? {
    if connections.count < Self.maximumConnections { return connections.count }
    guard let oldest = connections.indices.min(by: { connections[$0].lastSeen < connections[$1].lastSeen }) else {
      return nil
    }
    return isReplay || now.since(connections[oldest].lastSeen) > Self.connectionMemory ? oldest : nil
  }

  /// Gives handshake bytes up. A hello that was judged is merely not compared any more; one that was awaited will
  /// never be known.
  mutating func forgetBytes() {
    for index in connections.indices {
      if connections[index].isAssembling { connections[index].phase = .forgotten }
      connections[index].stream.removeAll()
    }
  }
}
