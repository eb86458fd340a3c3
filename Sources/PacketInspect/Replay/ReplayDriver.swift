/// What a replay saw, beside events.
public struct ReplaySummary: Hashable, Sendable {
  /// Frames in the file.
  public var frames: UInt64 = 0
  /// Frames without an IP packet.
  public var withoutIP: UInt64 = 0
  /// Frames that the snapshot length cut: what they lack was not inspected.
  public var cut: UInt64 = 0
  /// Datagrams put together from fragments.
  public var reassembled: UInt64 = 0
  /// Time of the first frame.
  public var start: Timestamp?
  /// Time of the last frame.
  public var end: Timestamp?
  /// Why reading stopped before the end of the file; nil when it did not.
  public var error: CaptureError?
}

/// Sends the packets of a capture through an inspector, in file order, with the capture's own time.
public enum ReplayDriver {
  /// Replays a whole file. What can be read of a damaged one is replayed; the summary carries the error.
  public static func replay<Domains: RegistrableDomains, Sink: EventSink>(
    _ file: RawSpan, through inspector: inout Inspector<Domains>, into sink: inout Sink
  ) -> ReplaySummary {
    var summary = ReplaySummary()
    var defragmenter = Defragmenter()
    do throws(CaptureError) {
      var reader = try CaptureReader(file)
      while let captured = try reader.next() {
        summary.frames += 1
        if summary.start == nil { summary.start = captured.time }
        // Frames of several interfaces are a little out of order, and damaged timestamps jump; the inspector's time
        // never steps back.
        let now = max(summary.end ?? captured.time, captured.time)
        summary.end = now
        guard let packet = LinkLayer.networkPacket(captured.frame, linkType: captured.linkType) else {
          summary.withoutIP += 1
          continue
        }
        let missing = captured.originalLength - captured.frame.byteCount
        if missing > 0 { summary.cut += 1 }
        inspector.tick(now: now, into: &sink)
        if let whole = defragmenter.add(packet, at: now) {
          summary.reassembled += 1
          let meta = PacketMeta(originalLength: whole.count)
          _ = inspector.inspect(whole.rawSpan, meta: meta, now: now, into: &sink)
        } else if !Self.isFragment(packet) {
          let meta = PacketMeta(originalLength: packet.byteCount + missing)
          _ = inspector.inspect(packet, meta: meta, now: now, into: &sink)
        }
      }
    } catch {
      summary.error = error
    }
    inspector.finish(now: summary.end ?? Timestamp(nanoseconds: 0), into: &sink)
    return summary
  }

  private static func isFragment(_ packet: RawSpan) -> Bool {
    guard let view = try? PacketView.parse(packet) else { return false }
    return view.fragment != nil
  }
}
