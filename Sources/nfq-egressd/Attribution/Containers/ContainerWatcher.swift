import CNetfilterQueue
import Glibc
import PacketInspect

/// What the watcher has to say to people.
enum ContainerNotice: Sendable, Equatable, CustomStringConvertible {
  /// The runtime answers; so many containers live.
  case connected(socket: String, containers: Int)
  /// It does not, or no more. Said once, then tried again and again.
  case lost(String)
  /// Something about a container or an answer was odd.
  case warning(String)

  var description: String {
    switch self {
    case .connected(let socket, let containers): "container runtime at \(socket): \(containers) containers"
    case .lost(let reason): "no container runtime (trying again): \(reason)"
    case .warning(let text): text
    }
  }
}

/// Follows a container runtime: lists what lives, then takes its events, on a thread of its own. Whatever happens to
/// the runtime it goes on: with a back-off, and with a new list after each reconnection and every few minutes, which
/// heals what events were missed.
final class ContainerWatcher: Sendable {
  private let requests: ContainerRequest
  private let events: ContainerRequest
  private let thread: pthread_t

  /// Starts the thread; nil when the system gives none. Both callbacks are called on it, one at a time. The runtime
  /// need not be there yet.
  init?(
    _ source: ContainerSource, relistInterval: Duration = ContainerSession.relistInterval,
    onChange: @escaping @Sendable (ContainerChange) -> Void,
    onNotice: @escaping @Sendable (ContainerNotice) -> Void
  ) {
    guard let requests = ContainerRequest(socket: source.socket), let events = ContainerRequest(socket: source.socket)
    else { return nil }
    let session = ContainerSession(
      source: source, requests: requests, events: events, relistInterval: relistInterval, onChange: onChange,
      onNotice: onNotice)
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(session)
    let failure = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<ContainerSession>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, context.toOpaque())
    guard failure == 0 else {
      unsafe context.release()
      return nil
    }
    self.requests = requests
    self.events = events
    self.thread = thread
  }

  /// Ends the thread and waits for it. To be called once.
  func stop() {
    requests.stop()
    events.stop()
    pthread_join(thread, nil)
  }
}

/// The thread's work and memory.
final class ContainerSession {
  /// Between two lists while events come: what a runtime forgot to announce stays wrong no longer than this.
  static let relistInterval = Duration.seconds(300)
  /// The least time between two lists that something odd asks for.
  private static let relistPause = Duration.seconds(1)
  /// Containers followed. A host runs some hundreds; a runtime that lists more is not to be followed into memory.
  private static let maximumContainers = 8192
  /// How long a connection must last to count as good: a runtime whose events fail at once is polled by the back-off,
  /// without a line in the log for each time.
  private static let steady = Duration.milliseconds(BackOff.longest)

  private let source: ContainerSource
  private let requests: ContainerRequest
  private let events: ContainerRequest
  private let relistInterval: Duration
  private let onChange: (ContainerChange) -> Void
  private let onNotice: (ContainerNotice) -> Void

  private let api: ContainerAPI
  private let clock = ContinuousClock()
  private var roster = ContainerRoster()
  private var random = SystemRandomNumberGenerator()
  private var nextList: ContinuousClock.Instant
  /// The last reason given for having lost the runtime; nil after a good connection.
  private var lostReason: String?
  private var hasAnnounced = false
  /// Ids of containers that were warned about, so that it is done once. Bounded with the roster.
  private var warned: Set<String> = []

  init(
    source: ContainerSource, requests: ContainerRequest, events: ContainerRequest, relistInterval: Duration,
    onChange: @escaping (ContainerChange) -> Void, onNotice: @escaping (ContainerNotice) -> Void
  ) {
    self.source = source
    self.requests = requests
    self.events = events
    self.relistInterval = relistInterval
    self.onChange = onChange
    self.onNotice = onNotice
    api = ContainerAPI(requests)
    nextList = clock.now
  }

  /// The thread's body: until it is told to stop.
  func run() {
    unsafe cnfq_name_thread("containers")
    var backOff = BackOff()
    while true {
      let start = clock.now
      hasAnnounced = false
      do throws(ContainerAPIError) {
        try follow()
      } catch .stopped {
        return
      } catch {
        if clock.now - start >= Self.steady {
          backOff.reset()
          lostReason = nil
        }
        let reason = error.description
        if reason != lostReason {
          onNotice(.lost(reason))
          lostReason = reason
        }
      }
      do throws(ContainerAPIError) {
        try requests.rest(milliseconds: backOff.next(using: &random))
      } catch {
        return
      }
    }
  }

  /// One connection, until it fails or is told to stop.
  private func follow() throws(ContainerAPIError) {
    let start = clock.now
    // Events first, and from this second on, so that nothing falls between them and the list.
    let target = ContainerAPI.eventsTarget(since: WallClock.now().nanoseconds / 1_000_000_000)
    try events.begin(target, endless: true)
    // Sends the request. If the runtime has no events to give, the list is worth having all the same.
    var arrival = Result { () throws(ContainerAPIError) in try events.next(target, milliseconds: 50) }
    try refresh()
    if lostReason == nil { announce() }
    var lines = LineCutter()
    while true {
      switch try arrival.get() {
      case .bytes(let bytes): try lines.append(bytes) { line throws(ContainerAPIError) in try take(line) }
      case .nothing: break
      case .end: throw .unreachable("\(source.socket): the runtime ended the stream of events")
      }
      let now = clock.now
      // After a failure only a connection that lasts is good news; half a second tells an absent event stream.
      if !hasAnnounced, now - start >= .milliseconds(500) { announce() }
      if now >= nextList { try refresh() }
      arrival = .success(try events.next(target, milliseconds: 500))
    }
  }

  private func announce() {
    hasAnnounced = true
    onNotice(.connected(socket: source.socket, containers: roster.count))
  }

  // MARK: - Lists

  private func refresh() throws(ContainerAPIError) {
    nextList = clock.now + relistInterval
    try refreshNetworks()
    let asked = WallClock.now()
    var ids = try api.list()
    if ids.count > Self.maximumContainers {
      onNotice(.warning("the runtime lists \(ids.count) containers; only \(Self.maximumContainers) are followed"))
      ids = Array(ids.prefix(Self.maximumContainers))
    }
    let living = Set(ids)
    // Ends come first: an address may have moved.
    emit(roster.retain(living, asked: asked))
    warned.formIntersection(living)
    for id in ids { try inspect(id, isListed: true) }
  }

  private func refreshNetworks() throws(ContainerAPIError) {
    emit(roster.observe(try api.networks()))
  }

  private func inspect(_ id: String, isListed: Bool) throws(ContainerAPIError) {
    let asked = WallClock.now()
    let inspected: ContainerMessages.Inspected?
    do throws(ContainerAPIError) {
      inspected = try api.inspect(id)
    } catch {
      switch error {
      case .unreachable, .stopped: throw error
      case .refused, .tooLarge, .notUnderstood:
        // One container that cannot be read must not hide the others. Its packets stay pending. One that is being
        // made or removed just now is a matter for the next list.
        if isListed { warn(id, error.description) } else { relistSoon() }
        return
      }
    }
    var fresh = inspected.flatMap { container($0) }
    if let known = fresh, !roster.knowsNetworks(of: known) {
      try refreshNetworks()
      // Again: the interface follows from the networks.
      fresh = inspected.flatMap { container($0) }
    }
    emit(roster.observe(id, fresh, asked: asked))
  }

  private func container(_ inspected: ContainerMessages.Inspected) -> Container? {
    let identity = ContainerIdentity(
      id: inspected.id, name: inspected.bareName, labels: inspected.config?.labels ?? [:], names: source.labels)
    let container = inspected.container(identity) { address in
      roster.gateway(for: address).flatMap { HostInterface.index(of: $0) }
    }
    if container != nil, !identity.warnings.isEmpty { warn(inspected.id, identity.warnings.joined(separator: "; ")) }
    return container
  }

  // MARK: - Events

  private func take(_ line: [UInt8]?) throws(ContainerAPIError) {
    guard let line, let event = ContainerMessages.decode(ContainerMessages.Event.self, from: line) else {
      // What it said is not known: the list will tell.
      relistSoon()
      return
    }
    let now = WallClock.now()
    switch (event.kind, event.action) {
    case ("container", "die"), ("container", "died"), ("container", "remove"), ("container", "destroy"):
      guard let id = event.id ?? event.actor?.id else { return }
      emit(roster.end(id, at: event.time.map { Timestamp(nanoseconds: $0) } ?? now))
    case ("container", "init"), ("container", "start"), ("container", "restart"), ("container", "unpause"),
      ("container", "rename"), ("container", "update"):
      if let id = event.id ?? event.actor?.id { try inspectIfRoom(id) }
    case ("network", "connect"), ("network", "disconnect"):
      // Docker names the network and puts the container into the attributes; podman names the container.
      if let id = event.actor?.attributes?.container ?? event.actor?.id ?? event.id { try inspectIfRoom(id) }
    case ("network", _): try refreshNetworks()
    default: break
    }
  }

  private func inspectIfRoom(_ id: String) throws(ContainerAPIError) {
    if roster.count < Self.maximumContainers || roster.contains(id) { try inspect(id, isListed: false) }
  }

  private func relistSoon() { nextList = min(nextList, clock.now + Self.relistPause) }

  private func emit(_ changes: [ContainerChange]) {
    for change in changes {
      if case .ended(let id, _) = change { warned.remove(id) }
      onChange(change)
    }
  }

  private func warn(_ id: String, _ text: String) {
    if warned.count < Self.maximumContainers, warned.insert(id).inserted { onNotice(.warning(text)) }
  }
}
