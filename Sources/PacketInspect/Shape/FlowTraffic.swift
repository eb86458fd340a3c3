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
  /// TCP: bytes that the client has acknowledged, the server's SYN apart. What it says it got: see `docs/shape.md`.
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
  private var marks: Marks = []

  private struct Marks: OptionSet {
    let rawValue: UInt8
    static let acknowledges = Marks(rawValue: 1)
    static let service = Marks(rawValue: 2)
    static let uploadFlagged = Marks(rawValue: 4)
    static let greeted = Marks(rawValue: 8)
    static let judgedOpaque = Marks(rawValue: 16)
    static let polled = Marks(rawValue: 32)
    static let reports = Marks(rawValue: 64)
    static let store = Marks(rawValue: 128)
  }

  /// True for a destination whose regular calls and uploads are ordinary work.
  var isService: Bool {
    get { marks.contains(.service) }
    set { set(.service, newValue) }
  }
  /// True for a destination whose regular calls are ordinary.
  var isPolled: Bool {
    get { marks.contains(.polled) }
    set { set(.polled, newValue) }
  }
  /// True for a destination that pages report to, many of them by nature.
  var isReportedTo: Bool {
    get { marks.contains(.reports) }
    set { set(.reports, newValue) }
  }
  /// True for a destination where the session's type is expected to put whole files.
  var isStore: Bool {
    get { marks.contains(.store) }
    set { set(.store, newValue) }
  }
  /// True when it was flagged as upload-heavy.
  var isUploadFlagged: Bool {
    get { marks.contains(.uploadFlagged) }
    set { set(.uploadFlagged, newValue) }
  }
  /// True when a handshake is over and does not count as an exchange any more.
  var isGreeted: Bool {
    get { marks.contains(.greeted) }
    set { set(.greeted, newValue) }
  }
  /// True when its protocol and its missing name were judged.
  var isJudged: Bool {
    get { marks.contains(.judgedOpaque) }
    set { set(.judgedOpaque, newValue) }
  }

  private mutating func set(_ mark: Marks, _ value: Bool) {
    if value { marks.insert(mark) } else { marks.remove(mark) }
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

  /// Notes a packet after so many nanoseconds without one.
  @inline(__always)
  mutating func noteGap(_ gap: Int64) {
    let units = UInt32(clamping: gap >> 20)
    if units > longestGap { longestGap = units }
  }
}
