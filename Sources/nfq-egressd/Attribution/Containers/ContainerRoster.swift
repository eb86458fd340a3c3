import PacketInspect

/// The containers that live, and what changed since the last look.
struct ContainerRoster {
  private struct Entry {
    var container: Container
    /// When the runtime was asked and said that the container lives.
    var seen: Timestamp
  }

  private var entries: [String: Entry] = [:]
  private var networks: [ContainerNetwork]?

  /// Number of containers.
  var count: Int { entries.count }

  /// True when a container of that id lives.
  func contains(_ id: String) -> Bool { entries[id] != nil }

  /// Takes over what the runtime answered, to a question asked at `asked`, about one container: nil when it does not
  /// live.
  mutating func observe(_ id: String, _ container: Container?, asked: Timestamp) -> [ContainerChange] {
    guard let container else {
      return entries.removeValue(forKey: id) == nil ? [] : [.ended(id: id, at: asked)]
    }
    let isNews = entries[id]?.container != container
    entries[id] = Entry(container: container, seen: max(asked, entries[id]?.seen ?? asked))
    return isNews ? [.started(container)] : []
  }

  /// An event says that a container ended at `time`. One from before the runtime was last asked is of an earlier life:
  /// events are asked for from a moment ago, so that none is missed, and some come twice.
  mutating func end(_ id: String, at time: Timestamp) -> [ContainerChange] {
    guard let entry = entries[id], time >= entry.seen else { return [] }
    entries[id] = nil
    return [.ended(id: id, at: time)]
  }

  /// The runtime listed what lives: all else has ended unnoticed.
  mutating func retain(_ living: Set<String>, asked: Timestamp) -> [ContainerChange] {
    entries.keys.filter { !living.contains($0) }.sorted().flatMap { observe($0, nil, asked: asked) }
  }

  /// Takes over the networks.
  mutating func observe(_ fresh: [ContainerNetwork]) -> [ContainerChange] {
    let sorted = fresh.sorted { ($0.name, $0.subnet.description) < ($1.name, $1.subnet.description) }
    guard sorted != networks else { return [] }
    networks = sorted
    return [.networks(sorted)]
  }

  /// The gateway of the network that holds the address; nil when none is known. Not by the network's name: podman has
  /// two names for its default network.
  func gateway(for address: IPAddress) -> IPAddress? {
    networks?.first { $0.subnet.contains(address) }?.gateway
  }

  /// True when a network that holds each of the container's addresses is known.
  func knowsNetworks(of container: Container) -> Bool {
    container.addresses.allSatisfy { address in
      networks?.contains { $0.subnet.contains(address.leased.address) } == true
    }
  }
}
