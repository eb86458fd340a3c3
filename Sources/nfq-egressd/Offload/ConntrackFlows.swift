import CNetfilterQueue
import Glibc
import PacketInspect

/// Flows that the kernel keeps to itself, as its connection tracking knows them: those whose connmark says so.
/// Belongs to one thread at a time.
@safe
struct ConntrackFlows: ~Copyable {
  /// What was taken back.
  struct Revocation: Hashable {
    /// Flows whose packets come to the queue again.
    var flows = 0
    /// Flows that ended by themselves meanwhile.
    var vanished = 0
    /// True when the bound on rounds was reached: more may be left.
    var isIncomplete = false
  }

  private let handle: OpaquePointer
  private let state: UInt32
  private let mask: UInt32

  /// Opens the door and begins to hear of ends.
  init(_ layout: MarkLayout) throws(ConntrackError) {
    var opened: OpaquePointer?
    let failure = unsafe ccf_open(&opened)
    guard failure == 0, let opened = unsafe opened else { throw ConntrackError(number: failure) }
    unsafe handle = opened
    state = layout.mark(0, with: .pass)
    mask = layout.stateMask
  }

  deinit { unsafe ccf_close(handle) }

  /// Becomes readable when a flow has ended. Valid while this lives.
  var eventDescriptor: Int32 { unsafe ccf_event_descriptor(handle) }

  /// Calls `body` for each passed flow that has ended since the last call. Throws ENOBUFS when ends were lost.
  mutating func takeEnded(_ body: (KernelFlow) -> Void) throws(ConntrackError) {
    var raw = ccf_flow()
    while true {
      let status = unsafe ccf_next_ended(handle, state, mask, &raw)
      guard status >= 0 else { throw ConntrackError(number: -status) }
      guard status == 1 else { return }
      body(KernelFlow(raw, hasEnded: true))
    }
  }

  /// Calls `body` for each passed flow there is, a last time for one that is closed and only waits to be forgotten (two
  /// minutes for TCP: many short connections would fill the flow table meanwhile); says whether the listing was undisturbed.
  mutating func list(_ body: (KernelFlow) -> Void) throws(ConntrackError) -> Bool {
    let failure = unsafe ccf_begin_listing(handle, state, mask)
    guard failure == 0 else { throw ConntrackError(number: failure) }
    var raw = ccf_flow()
    while true {
      let status = unsafe ccf_next_listed(handle, &raw)
      if status == -EINTR { return false }
      guard status >= 0 else { throw ConntrackError(number: -status) }
      guard status == 1 else { return true }
      // A kernel that does not know the filter lists everything.
      if raw.mark & mask == state { body(KernelFlow(raw, hasEnded: raw.closed != 0)) }
    }
  }

  /// Takes all passed flows back: their next packets come to the queue.
  mutating func revokeAll() throws(ConntrackError) -> Revocation {
    var result = ccf_rewriting()
    let failure = unsafe ccf_rewrite_marks(handle, state, 0, mask, &result)
    guard failure == 0 else { throw ConntrackError(number: failure) }
    return Revocation(
      flows: Int(result.rewritten), vanished: Int(result.vanished), isIncomplete: result.more != 0)
  }
}

extension KernelFlow {
  init(_ raw: ccf_flow, hasEnded: Bool) {
    let isIPv4 = raw.ipv6 == 0
    self.init(
      source: IPAddress(raw.source, isIPv4: isIPv4), sourcePort: raw.source_port,
      destination: IPAddress(raw.destination, isIPv4: isIPv4), destinationPort: raw.destination_port,
      replySource: IPAddress(raw.reply_source, isIPv4: isIPv4), replySourcePort: raw.reply_source_port,
      proto: raw.protocol, hasEnded: hasEnded, isCounted: raw.counted != 0, sentPackets: raw.sent_packets,
      sentBytes: raw.sent_bytes, receivedPackets: raw.received_packets, receivedBytes: raw.received_bytes)
  }
}

extension IPAddress {
  /// From 16 bytes in network order, of which IPv4 fills the first four.
  fileprivate typealias Bytes16 = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
  )

  fileprivate init(_ bytes: Bytes16, isIPv4: Bool) {
    let (high, low) = unsafe unsafeBitCast(bytes, to: (UInt64, UInt64).self)
    if isIPv4 {
      self.init(v4: UInt32(truncatingIfNeeded: high.bigEndian >> 32))
    } else {
      self.init(v6High: high.bigEndian, low: low.bigEndian)
    }
  }
}
