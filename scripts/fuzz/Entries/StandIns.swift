public import PacketInspect

/// Initial packets whose protection is none, so that a fuzzer can reach what lies behind it: a real one it could never
/// guess. The tag's first byte says whose keys open the packet: those of the connection with that first byte, or
/// anybody's when it is zero.
public struct ClearCryptography: QUICCryptography {
  /// Bytes of a tag.
  public static let tagLength = 16

  /// Cryptography that hides nothing.
  public init() {}

  /// Keys that say which connection they are of.
  public func clientInitialKeys(version: QUICVersion, destinationConnectionID: [UInt8]) -> QUICInitialKeys? {
    let first = destinationConnectionID.first ?? 0
    let key = [UInt8](repeating: first, count: 16)
    return QUICInitialKeys(key: key, iv: [UInt8](repeating: 0, count: 12), headerProtection: key)
  }

  /// No mask.
  public func headerProtectionMask(_ keys: QUICInitialKeys, sample: RawSpan) -> [UInt8]? {
    [UInt8](repeating: 0, count: 5)
  }

  /// The payload without its tag, when the tag fits.
  public func open(
    _ keys: QUICInitialKeys, packetNumber: UInt64, header: [UInt8], payload: RawSpan, into plain: inout [UInt8]
  ) -> Bool {
    let length = payload.byteCount - Self.tagLength
    guard length >= 0 else { return false }
    let tag = payload.byte(at: length)
    guard tag == 0 || tag == keys.key[0] else { return false }
    plain = payload.extracting(0..<length).array()
    return true
  }
}

/// The last two labels; enough to have registrable domains without a list.
public struct LastTwoLabels: RegistrableDomains, Sendable {
  /// A stand-in for the Public Suffix List.
  public init() {}

  /// The last two labels' bytes; 0 for a single label.
  public func registrableLength(of name: HostName) -> Int {
    let starts = name.labelStarts
    guard starts.count >= 2 else { return 0 }
    return name.count - starts[starts.count - 2]
  }
}

/// Digests of the right size that say nothing.
struct NoDigest: SHA256Digest, SHA1Digest {
  func sha256(_ bytes: [UInt8]) -> [UInt8] { [UInt8](repeating: UInt8(truncatingIfNeeded: bytes.count), count: 32) }
  func sha1(_ bytes: [UInt8]) -> [UInt8] { [UInt8](repeating: UInt8(truncatingIfNeeded: bytes.count), count: 20) }
}

/// Writes out every event and fact, as the daemon's writers do, and looks at the lines.
struct LineSink: EventSink {
  private let events = EventEncoder(
    digest: NoDigest(), names: NameText(key: (1, 2), domains: LastTwoLabels()))
  private let facts = FactEncoder(digest: NoDigest())

  var wantsFacts: Bool { true }
  var wantsState: Bool { true }

  mutating func record(_ event: consuming Event) { check(events.line(event), isOne: true) }
  mutating func record(_ fact: Fact) { check(facts.lines(fact), isOne: false) }
  mutating func record(_ change: StateChange) {}

  /// A fact is as many lines as it has names, which may be none.
  private func check(_ lines: [UInt8], isOne: Bool) {
    demand(lines.last == 0x0a || (lines.isEmpty && !isOne), "a line has no end")
    for byte in lines where byte < 0x20 { demand(byte == 0x0a, "a line holds a control byte") }
  }
}

/// A host that knows something of some senders: the slot of a packet chooses what.
struct ChosenEvidence: SessionEvidence {
  mutating func finding(
    for endpoints: PacketEndpoints, meta: PacketMeta, isLastAsk: Bool, at now: Timestamp
  ) -> SessionFinding {
    switch meta.slot {
    case 1: .pending
    case 2: .spoofed(nil, aspect: "address")
    default: .nothing
    }
  }
}
