import PacketInspect
import Synchronization

/// Events on their way from the queue's thread to the writer's: bounded, and never waited for by the packet path.
final class EventRing: Sendable {
  private struct State: Sendable {
    var events: [Event] = []
    var lost: UInt64 = 0
  }

  /// Events that may wait (`limits.eventRing`).
  let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) { self.capacity = capacity }

  /// Hands over a batch, unless the writer holds the ring just now: then the batch stays and is offered again.
  /// What does not fit is lost and counted.
  func offer(_ batch: inout [Event], lost: inout UInt64) {
    _ = state.withLockIfAvailable { state in
      state.lost &+= lost
      lost = 0
      let room = max(0, capacity - state.events.count)
      if batch.count > room {
        state.lost &+= UInt64(batch.count - room)
        batch.removeLast(batch.count - room)
      }
      if state.events.isEmpty {
        // The usual case: the writer is ahead, and the two arrays change places.
        swap(&state.events, &batch)
      } else {
        state.events.append(contentsOf: batch)
      }
      batch.removeAll(keepingCapacity: true)
    }
  }

  /// Room beyond `capacity` for the daemon's own events: that it stops, or reloads, or loses events, must be told just
  /// when agents' events fill the ring.
  private static let reserve = 1_024

  /// Adds one of the daemon's own events from any thread, waiting for the ring if need be: not for the packet path.
  func add(_ event: Event) {
    state.withLock { state in
      if state.events.count < capacity + Self.reserve { state.events.append(event) } else { state.lost &+= 1 }
    }
  }

  /// Takes all that waits, leaving an emptied `spare` array for what comes next.
  func take(spare: inout [Event]) -> (events: [Event], lost: UInt64) {
    spare.removeAll(keepingCapacity: true)
    return state.withLock { state in
      let taken = (state.events, state.lost)
      state.events = []
      swap(&state.events, &spare)
      state.lost = 0
      return taken
    }
  }
}

/// The queue thread's end of the ring.
struct EventOutbox: EventSink {
  private var batch: [Event] = []
  private var lost: UInt64 = 0
  private let ring: EventRing

  init(ring: EventRing) { self.ring = ring }

  mutating func record(_ event: consuming Event) {
    if batch.count < ring.capacity { batch.append(event) } else { lost &+= 1 }
  }

  /// Offers what has gathered.
  mutating func flush() {
    if !batch.isEmpty || lost > 0 { ring.offer(&batch, lost: &lost) }
  }
}
