import CNetfilterQueue
import PacketInspect
import Synchronization

/// How a queue is opened.
struct QueueOptions: Sendable {
  /// The queue's number in the rules.
  var number: UInt16
  /// Packets the kernel keeps before it drops.
  var length: UInt32 = 8192
  /// Bytes copied of each packet. The whole of it, so that no hello hides behind the range.
  var copyRange: UInt32 = 0xffff
  /// The socket's receive buffer in bytes; nil derives it from `length`.
  var receiveBuffer: UInt32?
  /// Packets that may be held at one time (`limits.heldPackets`).
  var heldPackets: UInt32 = 256
  /// Accept rather than drop when queue or socket is full (`onFailure.queueFull: open`).
  var failOpen = false
  /// How long a receive waits before the loop looks up. Two of them are the longest time between two ticks.
  var idleMilliseconds: UInt32 = 48

  /// Options for one queue.
  init(number: UInt16) { self.number = number }
}

/// The name of a queued packet, valid until its verdict.
struct PacketID: Hashable, Sendable {
  /// The kernel's number (NFQA_PACKET_HDR). It wraps.
  var rawValue: UInt32
}

/// A packet in the socket's buffer: it lives until the next receive.
struct QueuedPacket: ~Escapable {
  /// The packet from its network header on.
  let payload: RawSpan
  /// Its name in a verdict.
  let id: PacketID
  /// What the kernel says about it.
  let meta: PacketMeta

  @_lifetime(copy payload)
  fileprivate init(payload: RawSpan, id: PacketID, meta: PacketMeta) {
    self.payload = payload
    self.id = id
    self.meta = meta
  }
}

/// A bound queue: the owner of the C handle. One thread at a time.
@safe
struct QueueSocket: ~Copyable {
  /// What a receive brought.
  enum Arrival {
    /// Messages: walk them with `next`.
    case messages
    /// None within the idle time.
    case nothing
    /// The buffer overran and packets were lost; counted. Receive again.
    case overrun
  }

  private let handle: OpaquePointer
  /// The queue's number.
  let number: UInt16

  /// Opens the socket and binds the queue: packets may arrive from here on.
  init(_ options: QueueOptions) throws(QueueError) {
    var wanted = cnfq_options()
    wanted.queue = options.number
    wanted.length = options.length
    wanted.copy_range = options.copyRange
    wanted.receive_buffer = options.receiveBuffer ?? 0
    wanted.held_capacity = options.heldPackets
    wanted.idle_milliseconds = options.idleMilliseconds
    wanted.fail_open = options.failOpen ? 1 : 0
    wanted.gso = 1
    wanted.uid_gid = 1

    var opened: OpaquePointer?
    var number: Int32 = 0
    let status = unsafe cnfq_open(&wanted, &opened, &number)
    guard status == CNFQ_OK, let handle = unsafe opened else {
      throw QueueError(status, queue: options.number, operation: "opening", number: number)
    }
    let bound = unsafe cnfq_bind(handle, &number)
    guard bound == CNFQ_OK else {
      unsafe cnfq_close(handle)
      throw QueueError(bound, queue: options.number, operation: "binding", number: number)
    }
    unsafe self.handle = unsafe handle
    self.number = options.number
  }

  deinit { unsafe cnfq_close(handle) }

  /// Reads up to 64 messages; with `waiting` at most the idle time for the first.
  /// Packets of the receive before that have no verdict count as held from here on.
  mutating func receive(waiting: Bool) throws(QueueError) -> Arrival {
    var number: Int32 = 0
    switch unsafe cnfq_receive(handle, waiting ? 1 : 0, &number) {
    case CNFQ_OK: return .messages
    case CNFQ_IDLE: return .nothing
    case CNFQ_OVERRUN: return .overrun
    case let status: throw QueueError(status, queue: self.number, operation: "receiving", number: number)
    }
  }

  /// The next packet of the last receive.
  @inline(__always)
  @_lifetime(borrow self)
  func next() -> QueuedPacket? {
    var raw = unsafe cnfq_packet()
    guard unsafe cnfq_next(handle, &raw) == 1 else { return nil }
    let captured = Int(unsafe raw.captured_length)
    let original = Int(unsafe raw.original_length)
    let uid: UInt32? = unsafe raw.present & UInt32(CNFQ_HAS_UID) != 0 ? raw.uid : nil
    var meta = PacketMeta(
      hook: Hook(rawValue: unsafe raw.hook) ?? .replay,
      mark: unsafe raw.mark,
      inputInterface: unsafe raw.indev,
      outputInterface: unsafe raw.outdev,
      uid: uid,
      originalLength: original,
      // Merged and cut packets have no checksum that could be verified either.
      checksumsUnreliable: unsafe raw.checksum_not_ready != 0 || raw.gso != 0 || captured < original)
    meta.hardwareAddress = unsafe Self.hardwareAddress(raw)
    // The pointer is into the handle's buffer, which only `receive`, being mutating, overwrites.
    let bytes = unsafe UnsafeRawBufferPointer(start: raw.payload, count: raw.payload == nil ? 0 : captured)
    let packet = QueuedPacket(payload: unsafe bytes.bytes, id: PacketID(rawValue: unsafe raw.id), meta: meta)
    return unsafe _overrideLifetime(packet, borrowing: self)
  }

  /// The six bytes of an Ethernet address, without a collection in between; nil for other links.
  @inline(__always)
  private static func hardwareAddress(_ raw: cnfq_packet) -> HardwareAddress? {
    guard unsafe raw.hardware_address_length == 6 else { return nil }
    let (a, b, c, d, e, f, _, _) = unsafe raw.hardware_address
    let high = UInt64(a) << 40 | UInt64(b) << 32 | UInt64(c) << 24
    return HardwareAddress(high | UInt64(d) << 16 | UInt64(e) << 8 | UInt64(f))
  }

  /// Queues a verdict; it leaves with `flush`. The verdict of a held packet releases it.
  @inline(__always)
  func give(_ verdict: PacketVerdict, to id: PacketID) throws(QueueError) {
    var number: Int32 = 0
    let action = verdict.accepts ? CNFQ_ACCEPT : CNFQ_DROP
    let status: cnfq_status
    if var mark = verdict.mark {
      status = unsafe cnfq_give_verdict(handle, id.rawValue, action, &mark, &number)
    } else {
      status = unsafe cnfq_give_verdict(handle, id.rawValue, action, nil, &number)
    }
    guard status == CNFQ_OK else {
      throw QueueError(status, queue: self.number, operation: "giving a verdict", number: number)
    }
  }

  /// Holds a packet of the last receive until `give` names it: false when too many are held already.
  func hold(_ id: PacketID) -> Bool { unsafe cnfq_hold(handle, id.rawValue) == CNFQ_OK }

  /// The mark with which a held packet arrived; nil when it is not held.
  func heldMark(_ id: PacketID) -> UInt32? {
    var mark: UInt32 = 0
    return unsafe cnfq_held_mark(handle, id.rawValue, &mark) == 1 ? mark : nil
  }

  /// Number of held packets.
  var heldCount: Int { Int(unsafe cnfq_held_count(handle)) }

  /// Sends all queued verdicts in one system call.
  func flush() throws(QueueError) {
    var number: Int32 = 0
    let status = unsafe cnfq_flush(handle, &number)
    guard status == CNFQ_OK else {
      throw QueueError(status, queue: self.number, operation: "sending verdicts", number: number)
    }
  }

  /// Gives the queue back. The kernel drops what has no verdict.
  mutating func unbind() throws(QueueError) {
    var number: Int32 = 0
    let status = unsafe cnfq_unbind(handle, &number)
    guard status == CNFQ_OK else {
      throw QueueError(status, queue: self.number, operation: "unbinding", number: number)
    }
  }

  /// The counts so far.
  var counters: QueueCounters {
    var raw = cnfq_counters()
    unsafe cnfq_read_counters(handle, &raw)
    return QueueCounters(raw, held: heldCount)
  }

  /// Something that ends this socket's wait from another thread; nil when no descriptor is left.
  func waker() -> QueueWaker? {
    let descriptor = unsafe cnfq_wake_descriptor(handle)
    return descriptor < 0 ? nil : QueueWaker(descriptor: descriptor)
  }
}

/// Ends the wait of a queue's thread, from any thread.
final class QueueWaker: Sendable {
  /// A duplicate of the queue's socket; negative when retired.
  private let descriptor: Mutex<Int32>

  fileprivate init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

  deinit { retire() }

  /// The receive in progress, or the next, returns at once. Nothing happens after the end of the queue.
  func wake() { descriptor.withLock { if $0 >= 0 { cnfq_wake($0) } } }

  /// Lets go of the socket: as long as a duplicate is open, the kernel keeps a queue that nobody serves.
  func retire() {
    descriptor.withLock {
      cnfq_wake_close($0)
      $0 = -1
    }
  }
}
