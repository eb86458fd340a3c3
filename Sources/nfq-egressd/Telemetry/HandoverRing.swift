import Glibc
import Synchronization

/// Values on their way from the queue's thread to a writer's: bounded, and never waited for by the packet path.
final class HandoverRing<Element: Sendable>: Sendable {
  private struct State: Sendable {
    var elements: [Element] = []
    var lost: UInt64 = 0
  }

  /// Elements that may wait.
  let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) { self.capacity = capacity }

  /// Hands over a batch, unless the writer holds the ring just now: then the batch stays and is offered again.
  /// What does not fit is lost and counted.
  func offer(_ batch: inout [Element], lost: inout UInt64) {
    _ = state.withLockIfAvailable { state in
      state.lost &+= lost
      lost = 0
      let room = max(0, capacity - state.elements.count)
      if batch.count > room {
        state.lost &+= UInt64(batch.count - room)
        batch.removeLast(batch.count - room)
      }
      if state.elements.isEmpty {
        // The usual case: the writer is ahead, and the two arrays change places.
        swap(&state.elements, &batch)
      } else {
        state.elements.append(contentsOf: batch)
      }
      batch.removeAll(keepingCapacity: true)
    }
  }

  /// Room beyond `capacity` for what other threads add, such as the daemon's own events: that it stops, or reloads, or
  /// loses events, must be told just when agents' events fill the ring.
  private static var reserve: Int { 1_024 }

  /// Adds one element from any thread, waiting for the ring if need be: not for the packet path.
  func add(_ element: Element) {
    state.withLock { state in
      if state.elements.count < capacity + Self.reserve { state.elements.append(element) } else { state.lost &+= 1 }
    }
  }

  /// Elements that wait. Waits for the ring if need be: not for the packet path.
  var count: Int { state.withLock { $0.elements.count } }

  /// True when as many elements more would fit. Waits for the ring if need be: not for the packet path.
  func hasRoom(for count: Int) -> Bool { state.withLock { $0.elements.count + count <= capacity } }

  /// Takes all that waits, leaving an emptied `spare` array for what comes next.
  func take(spare: inout [Element]) -> (elements: [Element], lost: UInt64) {
    spare.removeAll(keepingCapacity: true)
    return state.withLock { state in
      let taken = (state.elements, state.lost)
      state.elements = []
      swap(&state.elements, &spare)
      state.lost = 0
      return taken
    }
  }
}

/// The queue thread's end of a ring.
struct Outbox<Element: Sendable> {
  private var batch: [Element] = []
  private var lost: UInt64 = 0
  private let ring: HandoverRing<Element>

  init(ring: HandoverRing<Element>) { self.ring = ring }

  mutating func append(_ element: consuming Element) {
    if batch.count < ring.capacity { batch.append(element) } else { lost &+= 1 }
  }

  /// Elements that have gathered.
  var count: Int { batch.count }

  /// Hands over what has gathered, waiting for the writer if need be, though not for ever: not for the packet path.
  mutating func flushPatiently() {
    var attempts = 500
    while !batch.isEmpty || lost > 0, attempts > 0 {
      attempts -= 1
      if ring.hasRoom(for: batch.count) || attempts == 0 { flush() }
      guard !batch.isEmpty || lost > 0 else { return }
      var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
      unsafe nanosleep(&pause, nil)
    }
  }

  /// Offers what has gathered.
  mutating func flush() {
    if !batch.isEmpty || lost > 0 { ring.offer(&batch, lost: &lost) }
  }
}
