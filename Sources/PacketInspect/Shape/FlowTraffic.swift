/// What a flow's packets add up to, counted at each of them: a few additions and comparisons, no more.
struct FlowTraffic: Sendable {
  /// Quiet after which a client that speaks again begins another exchange, in nanoseconds.
  static let quiet = BeaconWatch.quiet
  /// Payload bytes between two looks at a flow that sends much: what is not yet counted for its session.
  static let lookInterval: UInt64 = 16 << 20
  /// RFC 7323 section 2.3: no window is larger, so no acknowledgement moves on by more at once.
  private static let largestWindow: Int32 = 1 << 30

  /// Payload bytes (TCP, UDP; else behind IP) that the client sent, retransmissions included.
  var sent: UInt64 = 0
  /// TCP: bytes that the client has acknowledged, the server's SYN apart, what it says it got (see `docs/shape.md`);
  /// once the kernel counts, what it has counted, about.
  var acknowledged: UInt64 = 0
  /// `sent` at which the flow is looked at next.
  var nextLook: UInt64 = 0
  private var latestAcknowledgement: UInt32 = 0
  /// `sent` and received, modulo 2^32, at the start of the exchange in hand.
  var exchangeSent: UInt32 = 0
  var exchangeReceived: UInt32 = 0
  /// `sent`, in units of 256 bytes, that the session's volume knows.
  var counted: UInt32 = 0
  /// The longest time without a packet, in units of 2^20 nanoseconds.
  var longestGap: UInt32 = 0
  /// What its session knows its destination by; zero before it is charged.
  var destination: UInt32 = 0
  /// What it speaks.
  var proto: ProtocolClass = .unknown
  /// How it names its server.
  var naming: FlowShape.Naming = .none
  /// What is known of it besides.
  var marks: Marks = []

  /// Marks of a flow.
  struct Marks: OptionSet {
    let rawValue: UInt8
    /// An acknowledgement number of the client's was seen.
    static let acknowledges = Marks(rawValue: 1)
    /// Regular calls to its destination and uploads are ordinary work.
    static let service = Marks(rawValue: 2)
    /// It was flagged as upload-heavy.
    static let uploadFlagged = Marks(rawValue: 4)
    /// Its handshake is over and does not count as an exchange any more.
    static let greeted = Marks(rawValue: 8)
    /// Its protocol and its missing name were judged.
    static let judged = Marks(rawValue: 16)
    /// Regular calls to its destination are ordinary.
    static let polled = Marks(rawValue: 32)
    /// Pages report to its destination, many of them by nature.
    static let reportedTo = Marks(rawValue: 64)
    /// The session's type is expected to put whole files there.
    static let store = Marks(rawValue: 128)

    subscript(_ mark: Marks) -> Bool {
      get { contains(mark) }
      set { if newValue { insert(mark) } else { remove(mark) } }
    }
  }

  /// Notes an acknowledgement number of the client's.
  @inline(__always)
  mutating func noteAcknowledgement(_ number: UInt32) {
    let step = Int32(bitPattern: number &- latestAcknowledgement)
    if marks.contains(.acknowledges) {
      // Older ones come late; larger steps are no receiver's.
      guard step > 0, step <= Self.largestWindow else { return }
      acknowledged &+= UInt64(step)
    } else {
      marks.insert(.acknowledges)
    }
    latestAcknowledgement = number
  }

  /// Takes what the kernel has counted of the answers. The client's next acknowledgement goes on from there.
  mutating func take(received: UInt64) {
    acknowledged = max(acknowledged, received)
    marks.remove(.acknowledges)
  }

  /// Notes a packet after so many nanoseconds without one.
  @inline(__always)
  mutating func noteGap(_ gap: Int64) {
    let units = UInt32(clamping: gap >> 20)
    if units > longestGap { longestGap = units }
  }
}
