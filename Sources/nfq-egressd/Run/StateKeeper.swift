import Logging
import PacketInspect

/// The store and its thread, from before the first packet to after the last.
final class StateKeeper {
  /// Where the store is.
  let path: String
  /// What the queue's thread hands its changes to.
  let writer: StoreWriter
  /// What the store held.
  let sessions: [StoredSession]
  /// The overlays that it held.
  let overlays: OverlayBook
  private let store: SessionStore?
  private var thread: PlainThread?

  /// Opens the store at `path` and takes up what it holds; makes its directory when that is missing.
  init(path: String, isStrict: Bool, keepEnded: Int64?, log: Logger, events: HandoverRing<Event>) {
    self.path = path
    Folder.make(for: path)
    writer = StoreWriter(path: path, isStrict: isStrict, keepEnded: keepEnded, log: log) { kind, figures in
      events.add(Event(time: WallClock.now(), body: .stats(kind: kind, figures: figures)))
    }
    (store, sessions, overlays) = writer.start(at: WallClock.now())
  }

  /// Begins to write. False when the system gives no thread.
  func begin() -> Bool {
    thread = PlainThread { [writer, store] in writer.run(store) }
    return thread != nil
  }

  /// Writes the rest. After the queue's thread has ended.
  func end() {
    writer.stop()
    thread?.join()
    thread = nil
  }
}
