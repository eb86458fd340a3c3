/// A request body about whose end servers disagree (RFC 9112 section 11.2): every end that one of them would take is
/// followed, byte by byte, until a single one is left or a request begins at one of them.
///
/// Two fields may disagree for want of care, and then nothing that could be a request stands where the wrong one ends
/// the body. A request that begins there, while another server still takes it for the body, is what smuggling is.
public struct ContestedBody: Hashable, Sendable {
  /// What the next bytes of the connection are.
  package enum Step: Hashable {
    /// A part is still to come that tells.
    case needMore
    /// So many bytes of the body.
    case pass(Int)
    /// The body ends here for all servers whose reading has held so far.
    case end
    /// A request begins here for one server, and amid the body for another.
    case contradicted
    /// Nobody knows where it ends: it is no chunked body, and no length is left.
    case lost
  }

  /// Ends in bytes after the head, the nearest first; each server takes one.
  private var lengths: [UInt64]
  /// The reading in chunks, where a transfer coding was named.
  private var chunks: ChunkedBodySkipper?
  /// Bytes gone by.
  private var position: UInt64 = 0

  /// A body with these readings; nil when there is only one, which is no contest.
  package init?(lengths: Set<UInt64>, isChunked: Bool) {
    guard lengths.count + (isChunked ? 1 : 0) > 1 else { return nil }
    self.lengths = lengths.sorted()
    chunks = isChunked ? ChunkedBodySkipper() : nil
  }

  /// Reads the bytes that come next. Each call takes some, or says that more are needed, or is the last.
  package mutating func next(_ bytes: RawSpan) -> Step {
    while true {
      let endsHere = (lengths.first == position ? 1 : 0) + (chunks?.isComplete == true ? 1 : 0)
      let readings = lengths.count + (chunks == nil ? 0 : 1)
      if endsHere == readings { return readings == 0 ? .lost : .end }
      guard bytes.byteCount > 0 else { return .needMore }
      guard endsHere > 0 else { return advance(bytes) }
      switch HTTPRequestLine.parse(bytes) {
      case .needMore: return .needMore
      case .line: return isStillBody(bytes) ? .contradicted : .end
      case .notThisProtocol:
        // No server goes on from here.
        if lengths.first == position { lengths.removeFirst() }
        if chunks?.isComplete == true { chunks = nil }
      }
    }
  }

  /// Whether a request's bytes may be the body for one of the readings that do not end here.
  private func isStillBody(_ bytes: RawSpan) -> Bool {
    if lengths.contains(where: { $0 != position }) { return true }
    guard var chunks, !chunks.isComplete else { return false }
    _ = chunks.consume(bytes)
    return !chunks.isBroken
  }

  /// Moves on to the next place where a reading ends, or to the end of what is there.
  private mutating func advance(_ bytes: RawSpan) -> Step {
    var count = bytes.byteCount
    if let next = lengths.first { count = Int(min(UInt64(count), next - position)) }
    if var reading = chunks {
      let used = reading.consume(bytes.extracting(first: count))
      if reading.isBroken {
        chunks = nil
        guard !lengths.isEmpty else { return .lost }
      } else {
        chunks = reading
        count = used
      }
    }
    position &+= UInt64(count)
    return .pass(count)
  }
}
