import Logging
import PacketInspect
import Synchronization

/// The containers' leases, kept by the watcher's thread and read by the queue's.
///
/// At the end of a lease the watcher's thread first deletes the address's conntrack entries, then publishes: when the
/// queue's thread learns of the next owner, nothing of the former one is left in the kernel.
final class ContainerLeases: Sendable {
  /// What changed since the queue's thread last looked.
  struct Update: Sendable {
    var leases: AddressLeases
    /// Addresses that changed hands or fell free: their flows are to be forgotten.
    var released: [IPAddress] = []
    /// Sessions of which no container is left.
    var endedSessions: [String] = []
    /// Sessions of all containers, when the runtime has listed them for the first time: others that the store brought
    /// have ended while nobody looked.
    var firstListing: Set<String>?
  }

  private struct State: Sendable {
    var update = Update(leases: AddressLeases())
    /// Session of each container that lives.
    var sessions: [String: String] = [:]
    var isListed = false
  }

  private let state = Mutex(State())
  private let generation = Atomic<UInt64>(0)
  private let log: Logger

  init(log: Logger) { self.log = log }

  /// Takes a change in. On the watcher's thread.
  func take(_ change: ContainerChange, at now: Timestamp) {
    var ended: [Lease] = []
    state.withLock { state in
      switch change {
      case .networks(let networks):
        state.update.leases.setNetworks(networks.map(\.subnet), hostAddresses: networks.compactMap(\.gateway))
      case .started(let container):
        let holder = LeaseHolder(owner: container.id, session: container.session, agentType: container.agentType)
        ended = state.update.leases.assign(container.addresses.map(\.leased), to: holder, at: now).ended
        let former = state.sessions.updateValue(container.session, forKey: container.id)
        if let former { Self.noteEnd(of: former, &state) }
      case .ended(let id, _):
        ended = state.update.leases.release(owner: id, at: now).ended
        if let session = state.sessions.removeValue(forKey: id) { Self.noteEnd(of: session, &state) }
      }
      state.update.released += ended.map(\.address)
    }
    forget(ended)
    generation.add(1, ordering: .releasing)
  }

  /// The runtime has listed all its containers. On the watcher's thread.
  func noteListing() {
    state.withLock { state in
      guard !state.isListed else { return }
      state.isListed = true
      state.update.firstListing = Set(state.sessions.values)
    }
    generation.add(1, ordering: .releasing)
  }

  /// What is new for the queue's thread, if its knowledge is older than that of `known`.
  func newer(than known: inout UInt64) -> Update? {
    let latest = generation.load(ordering: .acquiring)
    guard latest != known else { return nil }
    let update = state.withLockIfAvailable { state in
      let update = state.update
      state.update.released = []
      state.update.endedSessions = []
      state.update.firstListing = nil
      return update
    }
    guard let update else { return nil }
    known = latest
    return update
  }

  private static func noteEnd(of session: String, _ state: inout State) {
    if !state.sessions.values.contains(session) { state.update.endedSessions.append(session) }
  }

  private func forget(_ ended: [Lease]) {
    guard !ended.isEmpty else { return }
    do throws(ConntrackError) {
      var entries = try ConntrackEntries()
      for lease in ended {
        let deletion = try entries.deleteAll(of: lease.address)
        if deletion.isIncomplete { log.warning("\(lease.address): conntrack entries are left from its former owner") }
      }
    } catch {
      log.warning("conntrack entries of a container that is gone were not deleted: \(error.description)")
    }
  }
}
