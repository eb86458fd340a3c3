/// What one segment did to the stream.
public enum SegmentOutcome: Hashable, Sendable {
  /// There are more bytes in order than before.
  case advanced
  /// Nothing new in order: out of order, already known, or of no interest.
  case nothingNew
  /// It disagrees with bytes already seen at the same place.
  case conflict
  /// It lies too far ahead, or too many wait: it was not kept. TCP sends it again once the gap is filled.
  case notKept
}

/// The client's bytes in order, from the start of the message in hand, by TCP sequence number (RFC 9293).
///
/// Bytes stay until `discardParsed` even when they were parsed, so that a retransmission with other content is
/// noticed: a server that never got the first copy would act on the second. Memory is bounded by `window`.
public struct StreamAssembler: Sendable {
  /// Bytes from the start of a hello or head within which it must end (design, section 2).
  public static let messageLimit = 16_384
  /// Bytes kept, in order or not: the largest packet that GSO makes, and a message before it.
  public static let window = 65_536 + messageLimit
  /// Segments that may wait for a gap to be filled.
  public static let maximumPending = 64
  /// A body longer than this is skipped in steps: sequence numbers are compared within half their space.
  private static let skipStep: UInt64 = 1 << 30

  private struct Segment: Sendable {
    var start: Int
    var bytes: [UInt8]
    var end: Int { start + bytes.count }
  }

  /// Sequence number of the first byte of `kept`.
  private var base: UInt32
  /// Bytes in order, from `base`.
  private var kept: [UInt8] = []
  /// Bytes before this offset of `kept` were parsed.
  private var read = 0
  /// Bytes before this offset of `kept` are forgotten. They are moved out once a segment, by `compact`: one segment
  /// can hold thousands of small messages, and moving what follows each would cost the square of its length.
  private var dropped = 0
  private var pending: [Segment] = []
  private var pendingBytes = 0
  /// Heads that a body follows, out of what is kept but not answered yet: compared like what is in it.
  private var passed: [(sequence: UInt32, bytes: [UInt8])] = []
  private var passedBytes = 0
  /// Bytes still to skip after `base`, beyond one step.
  private var laterSkip: UInt64 = 0

  /// A stream whose first byte has this sequence number.
  public init(sequence: UInt32) { base = sequence }

  /// Begins another stream, keeping a buffer of modest size so that a busy daemon does not allocate for each flow.
  public mutating func reset(sequence: UInt32) {
    base = sequence
    if kept.capacity > 8_192 { kept = [] } else { kept.removeAll(keepingCapacity: true) }
    pending.removeAll()
    pendingBytes = 0
    forgetPassed()
    read = 0
    dropped = 0
    laterSkip = 0
  }

  /// True when segments wait for a gap to be filled.
  public var hasGap: Bool { !pending.isEmpty }
  /// Bytes kept: in order, waiting for a gap to be filled, and for comparison. Twice the window at most.
  public var heldBytes: Int { kept.count - dropped + pendingBytes + passedBytes }
  /// Sequence number after the last byte in order.
  public var nextSequence: UInt32 { base &+ UInt32(truncatingIfNeeded: kept.count) }
  /// Bytes in order that were not parsed.
  public var unparsedCount: Int { kept.count - read }
  /// Bytes in order that were not discarded; a copy.
  public var buffer: [UInt8] { Array(kept[dropped...]) }
  /// Bytes before this offset of `buffer` were parsed.
  public var parsed: Int { read - dropped }

  /// Lends the bytes in order that were not parsed.
  public func withUnparsed<Result>(_ body: (RawSpan) -> Result) -> Result {
    body(kept.rawSpan.extracting(droppingFirst: read))
  }

  /// Takes one segment.
  public mutating func add(_ payload: RawSpan, sequence: UInt32) -> SegmentOutcome {
    let length = payload.byteCount
    guard length > 0 else { return .nothingNew }
    compact()
    if !passed.isEmpty, contradictsPassed(payload, sequence) { return .conflict }
    // Signed distance from `base`: the sequence space wraps.
    var start = Int(Int32(bitPattern: sequence &- base))
    // Only bytes that a receiver may take move a skip on: what lies far ahead would lead it round the sequence space.
    if laterSkip > 0, start + length > 0, start <= Self.window {
      let step = min(laterSkip, Self.skipStep)
      laterSkip -= step
      base &+= UInt32(step)
      start -= Int(step)
    }
    // What lies before `base` was acknowledged, or belongs to a body: nobody compares it.
    guard start + length > 0 else { return .nothingNew }
    let known = max(0, -start)
    return insert(payload.extracting(droppingFirst: known), at: start + known)
  }

  private mutating func insert(_ bytes: RawSpan, at start: Int) -> SegmentOutcome {
    let end = start + bytes.byteCount
    if start < kept.count {
      let overlap = min(kept.count, end) - start
      for index in 0..<overlap where kept[start + index] != bytes.byte(at: index) { return .conflict }
    }
    for segment in pending {
      let low = max(start, segment.start)
      let high = min(end, segment.end)
      guard low < high else { continue }
      for place in low..<high where segment.bytes[place - segment.start] != bytes.byte(at: place - start) {
        return .conflict
      }
    }
    guard end > kept.count else { return .nothingNew }
    guard end + passedBytes <= Self.window, passed.count < Self.maximumPending else { return .notKept }
    guard start <= kept.count else {
      if pending.contains(where: { $0.start <= start && $0.end >= end }) { return .nothingNew }
      guard pending.count < Self.maximumPending, pendingBytes + bytes.byteCount <= Self.window else { return .notKept }
      pending.append(Segment(start: start, bytes: bytes.array()))
      pendingBytes += bytes.byteCount
      return .nothingNew
    }
    kept.append(bytes.extracting(droppingFirst: kept.count - start))
    drainPending()
    return .advanced
  }

  /// Marks everything before `offset` of `buffer` as parsed.
  public mutating func markParsed(upTo offset: Int) { read = min(kept.count, max(read, dropped + offset)) }

  /// Forgets parsed bytes: the server has answered, so a second copy of them can do nothing.
  public mutating func discardParsed() {
    forgetPassed()
    dropParsed()
  }

  /// Takes parsed bytes out of the buffer, and goes on comparing them until `discardParsed`.
  public mutating func passParsed() {
    guard read > dropped else { return }
    passed.append((base &+ UInt32(truncatingIfNeeded: dropped), Array(kept[dropped..<read])))
    passedBytes += read - dropped
    dropParsed()
  }

  /// Forgets parsed bytes that nobody compares: those of a body. What was passed stays.
  public mutating func dropParsed() { dropped = read }

  /// Gives the memory of forgotten bytes back. Whoever adds a segment calls it when that segment is read.
  public mutating func compact() {
    guard dropped > 0 else { return }
    let count = dropped
    kept.removeFirst(count)
    read -= count
    dropped = 0
    move(by: count)
  }

  private mutating func forgetPassed() {
    passed.removeAll()
    passedBytes = 0
  }

  private func contradictsPassed(_ payload: RawSpan, _ sequence: UInt32) -> Bool {
    for head in passed {
      let offset = Int(Int32(bitPattern: sequence &- head.sequence))
      let low = max(0, offset)
      let high = min(head.bytes.count, offset + payload.byteCount)
      guard low < high else { continue }
      for place in low..<high where head.bytes[place] != payload.byte(at: place - offset) { return true }
    }
    return false
  }

  /// Skips `count` bytes after the parsed ones: a body whose length is known. They may come in any order or not
  /// at all; what follows them is assembled as ever. The parsed ones, its head, are compared until `discardParsed`.
  public mutating func skip(_ count: UInt64) {
    passParsed()
    guard count > UInt64(unparsedCount) || !pending.isEmpty else {
      read += Int(count)
      dropParsed()
      laterSkip = 0
      return
    }
    dropParsed()
    compact()
    let step = min(count, Self.skipStep)
    kept.removeFirst(min(Int(step), kept.count))
    move(by: Int(step))
    laterSkip = count - step
    drainPending()
  }

  /// Goes on at the first waiting segment: in a capture, what is missing will not come any more.
  /// Returns false when nothing waits.
  public mutating func jumpGap() -> Bool {
    guard let first = pending.map(\.start).min() else { return false }
    kept.removeAll(keepingCapacity: true)
    read = 0
    dropped = 0
    move(by: first)
    drainPending()
    return true
  }

  /// Moves `base` forward; waiting segments that fall behind it are dropped or cut.
  private mutating func move(by distance: Int) {
    base &+= UInt32(truncatingIfNeeded: distance)
    guard !pending.isEmpty else { return }
    for index in pending.indices.reversed() {
      pending[index].start -= distance
      if pending[index].end <= 0 {
        pendingBytes -= pending[index].bytes.count
        pending.remove(at: index)
      } else if pending[index].start < 0 {
        pendingBytes += pending[index].start
        pending[index].bytes.removeFirst(-pending[index].start)
        pending[index].start = 0
      }
    }
  }

  /// Appends waiting segments that now continue what is in order.
  private mutating func drainPending() {
    while let index = pending.firstIndex(where: { $0.start <= kept.count }) {
      let segment = pending.remove(at: index)
      pendingBytes -= segment.bytes.count
      if segment.end > kept.count {
        kept.append(segment.bytes.rawSpan.extracting(droppingFirst: kept.count - segment.start))
      }
    }
  }
}
