import PacketInspect

/// Changes that are not on disk yet, the latest of each thing only: however long the disk is away, this grows no
/// further than what the sessions themselves remember, and `maximumFlags`.
struct PendingState: Sendable {
  /// A session's destination.
  struct Place: Hashable, Sendable {
    var session: String
    var key: DestinationKey
  }

  private(set) var sessions: [String: SessionState] = [:]
  /// Nil for one that was withdrawn.
  private(set) var destinations: [Place: DestinationRecord?] = [:]

  private(set) var flags: [RaisedFlag] = []

  /// Flags that wait for the disk: some ten megabytes. Those beyond are in the event file alone.
  static let maximumFlags = 16_384

  var isEmpty: Bool { sessions.isEmpty && destinations.isEmpty && flags.isEmpty }
  var count: Int { sessions.count + destinations.count + flags.count }

  /// Takes a change in; a later one replaces an earlier one of the same thing.
  mutating func add(_ change: StateChange) {
    switch change {
    case .session(let state):
      // Another session that begins under the same id has nothing of what the former one did.
      if let former = sessions[state.id], former.started != state.started {
        destinations = destinations.filter { $0.key.session != state.id }
      }
      sessions[state.id] = state
    case .destination(let session, let key, let record):
      destinations.updateValue(record, forKey: Place(session: session, key: key))
    case .flag(let flag): if flags.count < Self.maximumFlags { flags.append(flag) }
    case .withdrawn(let session, let key): destinations.updateValue(nil, forKey: Place(session: session, key: key))
    }
  }
}
