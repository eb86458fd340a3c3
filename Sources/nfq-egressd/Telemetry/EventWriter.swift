import Glibc
import Logging
import PacketInspect
import Synchronization

/// Writes events as JSON lines on a thread of its own. It may lag; it never holds up a packet.
final class EventWriter: Sendable {
  /// Time between two looks at an empty ring. A wake-up call would cost the packet path a system call.
  private static let pause = timespec(tv_sec: 0, tv_nsec: 20_000_000)
  /// Time between two complaints about the same thing, in nanoseconds.
  private static let complaintInterval: Int64 = 60 * 1_000_000_000

  private struct Figures: Sendable {
    var lost: UInt64 = 0
    var failed: UInt64 = 0
  }

  private let ring: HandoverRing<Event>
  private let stopping = Atomic(false)
  private let reopening = Atomic(false)
  private let figures = Mutex(Figures())
  private let log: Logger
  private let digest: LibcryptoDigest
  private let names: NameText

  init(ring: HandoverRing<Event>, digest: LibcryptoDigest, names: NameText, log: Logger) {
    self.ring = ring
    self.digest = digest
    self.names = names
    self.log = log
  }

  /// Events lost because the ring was full, and lines that could not be written.
  var losses: (lost: UInt64, failed: UInt64) { figures.withLock { ($0.lost, $0.failed) } }

  /// Asks for the file to be opened again: it was rotated.
  func reopen() { reopening.store(true, ordering: .releasing) }

  /// Asks for the rest to be written and the thread to end.
  func stop() { stopping.store(true, ordering: .releasing) }

  /// Starts the thread that writes to `file`; nil when the system gives none.
  func start(_ file: consuming EventFile) -> PlainThread? {
    let box = HandedFile(file)
    return PlainThread { [self] in
      // Packets come first: where cores are scarce, writing events waits, or is dropped and counted (eventBacklog).
      // Zero is the calling thread; raising one's own niceness cannot fail.
      setpriority(.init(PRIO_PROCESS.rawValue), 0, 10)
      if let file = box.take() { run(file) }
    }
  }

  /// The thread's body.
  func run(_ file: consuming EventFile) {
    let encoder = EventEncoder(digest: digest, names: names)
    var spare: [Event] = []
    var bytes: [UInt8] = []
    var lastComplaint = Timestamp(nanoseconds: 0)
    while true {
      // Read before the ring: what was added before the order to stop is still written.
      let isLast = stopping.load(ordering: .acquiring)
      if reopening.exchange(false, ordering: .acquiringAndReleasing) {
        do throws(FileError) {
          try file.reopen()
        } catch {
          log.error("\(error.description); the old file stays in use")
        }
      }
      var taken = ring.take(spare: &spare)
      for event in taken.elements { encoder.write(event, to: &bytes) }
      if let failure = bytes.isEmpty ? nil : file.append(bytes) {
        let reason = unsafe strerror(failure).map { unsafe String(cString: $0) } ?? "error \(failure)"
        figures.withLock { $0.failed &+= UInt64(taken.elements.count) }
        complain("events could not be written: \(reason)", &lastComplaint)
      }
      if taken.lost > 0 {
        figures.withLock { $0.lost &+= taken.lost }
        complain("\(taken.lost) events were lost: the writer lags behind limits.eventRing", &lastComplaint)
      }
      bytes.removeAll(keepingCapacity: bytes.capacity < 1 << 20)
      let wasEmpty = taken.elements.isEmpty
      swap(&spare, &taken.elements)
      if isLast, wasEmpty { return }
      if wasEmpty {
        var pause = Self.pause
        unsafe nanosleep(&pause, nil)
      }
    }
  }

  private func complain(_ text: String, _ last: inout Timestamp) {
    let now = WallClock.now()
    guard now.since(last) >= Self.complaintInterval else { return }
    last = now
    log.warning("\(text)")
  }
}

/// A file on its way to the thread that writes it.
private final class HandedFile: Sendable {
  private let file: Mutex<EventFile?>

  init(_ file: consuming sending EventFile) { self.file = Mutex(file) }

  func take() -> EventFile? { file.withLock { $0.take() } }
}
