public import PacketInspect

/// The whole inspector, driven by a string of small records:
///
///     first byte            the policy: bit 0 observe, bit 1 few flows and little memory, bit 2 hold at the budget
///     0x00-0x3f             a packet: length (2 bytes), bytes; bits 0-1 the hook, 2 checksums count, 3 has waited,
///                           4-5 the slot
///     0x40-0x7f             a TCP segment: flags, offset in the stream (2, signed), acknowledged, length (2), payload;
///                           bits 0-2 the connection, 3 from the server, 4 a capture
///     0x80-0xbf             a UDP datagram: length (2), payload; bits as above
///     0xc0-0xfe             time passes: 2 to the power of the low six bits, in nanoseconds
///     0xff                  the policy changes
///
/// Segments and datagrams are wrapped here, so that a fuzzer changes what a stream says without having to get lengths
/// right. What is cut short is what is there.
public enum InspectorEntry {
  /// Records that one input may hold: what takes longer than these is slow because of one of them.
  static let maximumRecords = 512

  static func packets(_ bytes: RawSpan) {
    var driver = FuzzDriver(policy: bytes.byteCount > 0 ? bytes.byte(at: 0) : 0)
    forEachRecord(bytes) { driver.take($0) }
    driver.finish()
  }

  static func replay(_ bytes: RawSpan) {
    var inspector = Inspector(
      policy: FuzzPolicy.snapshot(FuzzPolicy.firstChoice, epoch: 1), domains: LastTwoLabels(),
      quicCryptography: ClearCryptography(),
      limits: InspectorLimits(flows: 64, namesPerSession: 64, streamBytes: 1 << 18))
    var sink = LineSink()
    let summary = ReplayDriver.replay(bytes, through: &inspector, into: &sink)
    demand(inspector.flowCount == 0, "flows are left after the end of a capture")
    demand(summary.frames <= UInt64(bytes.byteCount), "more frames than bytes")
    _ = summary.error?.description
  }

  /// One record of the input.
  public enum Record: Sendable {
    /// A packet with what is known of it, and whether it comes after this much time.
    case packet([UInt8], PacketMeta)
    /// Time passes.
    case pause(nanoseconds: Int64)
    /// The policy changes.
    case policy
  }

  /// Reads the records; also for who wants the packets alone, the benchmark of single packets.
  public static func forEachRecord(_ bytes: RawSpan, _ body: (Record) -> Void) {
    var reader = RecordReader(bytes)
    var count = 0
    while count < maximumRecords, let record = reader.next() {
      body(record)
      count += 1
    }
  }
}

/// Cuts an input into records.
private struct RecordReader: ~Escapable {
  private var reader: PacketReader

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) {
    reader = PacketReader(bytes)
    try? reader.skip(1)
  }

  mutating func next() -> InspectorEntry.Record? {
    guard let kind = try? reader.u8() else { return nil }
    switch kind {
    case 0x00...0x3f:
      let hooks: [Hook] = [.forward, .output, .replay, .input]
      let payload = counted()
      var meta = PacketMeta(
        hook: hooks[Int(kind & 3)], originalLength: payload.count, checksumsUnreliable: kind & 4 == 0)
      meta.hasWaited = kind & 8 != 0
      meta.slot = kind >> 4 & 3
      return .packet(payload, meta)
    case 0x40...0x7f:
      let flags = (try? reader.u8()) ?? 0
      let offset = Int16(bitPattern: (try? reader.u16()) ?? 0)
      let acknowledged = (try? reader.u8()) ?? 0
      let packet = FuzzPacket(choice: kind)
        .segment(flags: flags, offset: Int32(offset), acknowledged: acknowledged, counted())
      return .packet(packet, PacketMeta(hook: kind & 0x10 == 0 ? .forward : .replay, originalLength: packet.count))
    case 0x80...0xbf:
      let packet = FuzzPacket(choice: kind).datagram(counted())
      return .packet(packet, PacketMeta(hook: kind & 0x10 == 0 ? .forward : .replay, originalLength: packet.count))
    case 0xff: return .policy
    default: return .pause(nanoseconds: 1 << Int64(min(kind & 0x3f, 50)))
    }
  }

  private mutating func counted() -> [UInt8] {
    let length = Int((try? reader.u16()) ?? 0)
    return ((try? reader.span(min(length, reader.remaining)))?.array()) ?? []
  }
}

/// An inspector, its clock, and what must hold after every packet.
private struct FuzzDriver {
  private var inspector: Inspector<LastTwoLabels>
  private var sink = LineSink()
  private var now = Timestamp(seconds: 1_700_000_000)
  private let limits: InspectorLimits
  private let choice: UInt8
  private var epoch: UInt32 = 1

  init(policy choice: UInt8) {
    self.choice = choice
    limits =
      choice & 2 == 0
      ? InspectorLimits(flows: 64, namesPerSession: 64, streamBytes: 1 << 20)
      : InspectorLimits(flows: 4, namesPerSession: 4, streamBytes: 4_096)
    inspector = Inspector(
      policy: FuzzPolicy.snapshot(choice, epoch: 1), domains: LastTwoLabels(), quicCryptography: ClearCryptography(),
      limits: limits)
    inspector.evidence = ChosenEvidence()
  }

  mutating func take(_ record: InspectorEntry.Record) {
    switch record {
    case .pause(let nanoseconds):
      now = now.advanced(byNanoseconds: nanoseconds)
      inspector.tick(now: now, into: &sink)
    case .policy:
      epoch += 1
      inspector.replacePolicy(FuzzPolicy.snapshot(choice ^ UInt8(truncatingIfNeeded: epoch), epoch: epoch))
    case .packet(let packet, let meta):
      now = now.advanced(byNanoseconds: 1_000)
      let decision = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
      demand(!decision.mayPass, "a flow was passed to the kernel")
    }
    demand(inspector.flowCount <= limits.flows, "more flows than allowed")
    demand(
      inspector.heldStreamBytes <= 2 * limits.streamBytes + 2 * StreamAssembler.window, "streams hold more than allowed"
    )
    let counters = inspector.counters
    demand(
      counters.packets == counters.accepted + counters.dropped + counters.rejected, "a packet was not judged once")
  }

  mutating func finish() {
    inspector.finish(now: now, into: &sink)
    demand(inspector.flowCount == 0 && inspector.streamCount == 0, "flows or streams are left after the end")
    demand(inspector.quicFlowCount == 0 && inspector.heldStreamBytes == 0, "QUIC state or bytes are left after the end")
  }
}
