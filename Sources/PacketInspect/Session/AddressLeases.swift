/// Which address belongs to which container, now.
///
/// Addresses are reused within milliseconds. An answer from here is therefore a lease with a number of its own, not a
/// container: what is remembered for a flow must remember the lease, and a packet whose address nobody holds is
/// `pending` instead of the former owner's.
public struct AddressLeases: Sendable {
  /// Leases at one time. A /16 bridge, the widest that runtimes make, has as many addresses; more mean that the
  /// runtime's answers are not to be trusted, and each lease costs about 200 bytes.
  public static let maximumLeases = 65_536
  /// Addresses of one holder. Real ones have a handful; a table of networks must not belong to one container.
  public static let maximumAddressesPerHolder = 256
  /// Networks known at one time. A lookup of an unleased address walks them.
  public static let maximumNetworks = 1024
  /// Addresses remembered after their release, where no known network holds them.
  public static let maximumReleased = 4096
  /// How long those are remembered, in nanoseconds: longer than any runtime takes to announce the next owner.
  public static let releasedGrace: Int64 = 60 * 1_000_000_000

  private var leases: [IPAddress: Lease] = [:]
  private var addressesByOwner: [String: [IPAddress]] = [:]
  private var leasesByHardware: [HardwareAddress: IPAddress] = [:]
  private var networks: [IPNetwork] = []
  private var hostAddresses: Set<IPAddress> = []
  private var released: [IPAddress: Timestamp] = [:]
  private var latestGeneration: UInt64 = 0

  /// No lease, no network.
  public init() {}

  /// Number of leases.
  public var count: Int { leases.count }

  /// Whether a runtime has told its networks.
  public var hasNetworks: Bool { !networks.isEmpty }

  /// Leases that found no room, ever.
  public private(set) var refused: UInt64 = 0

  /// Takes over the runtime's networks: an address inside them that nobody holds is `pending`. `hostAddresses` are
  /// addresses in them that are the host's own (gateways), hence no container's.
  public mutating func setNetworks(_ fresh: [IPNetwork], hostAddresses: [IPAddress]) {
    networks = Array(fresh.prefix(Self.maximumNetworks))
    self.hostAddresses = Set(hostAddresses.prefix(Self.maximumNetworks).map(\.canonical))
  }

  /// Makes `addresses` the ones that a holder has, all of them: those it had and has no more are released, those of
  /// others move to it. The same again changes nothing, so a repeated announcement is harmless; another session or
  /// agent type, or another hardware address, begins new leases.
  public mutating func assign(
    _ addresses: [LeasedAddress], to holder: LeaseHolder, at now: Timestamp
  ) -> LeaseChanges {
    var changes = LeaseChanges()
    let wanted = Set(addresses.prefix(Self.maximumAddressesPerHolder).map(\.address))
    for address in addressesByOwner[holder.owner] ?? [] where !wanted.contains(address) {
      if let ended = end(address, at: now) { changes.ended.append(ended) }
    }
    var seen = Set<IPAddress>()
    for leased in addresses.prefix(Self.maximumAddressesPerHolder) where seen.insert(leased.address).inserted {
      acquire(leased, for: holder, at: now, &changes)
    }
    return changes
  }

  /// A holder is gone: all its leases end.
  public mutating func release(owner: String, at now: Timestamp) -> LeaseChanges {
    var changes = LeaseChanges()
    for address in addressesByOwner[owner] ?? [] {
      if let ended = end(address, at: now) { changes.ended.append(ended) }
    }
    return changes
  }

  /// One address is released, if `owner` has it; of another owner's address nothing changes, since a late notice of an
  /// end must not take away what has moved on.
  public mutating func release(_ address: IPAddress, owner: String, at now: Timestamp) -> LeaseChanges {
    var changes = LeaseChanges()
    if leases[address.canonical]?.holder.owner == owner, let ended = end(address.canonical, at: now) {
      changes.ended.append(ended)
    }
    return changes
  }

  private mutating func acquire(
    _ leased: LeasedAddress, for holder: LeaseHolder, at now: Timestamp, _ changes: inout LeaseChanges
  ) {
    if let former = leases[leased.address] {
      if former.holder == holder, former.leased.hardwareAddress == leased.hardwareAddress {
        // The interface becomes known later than the rest, and says nothing about whose lease it is.
        if former.leased != leased {
          leases[leased.address] = Lease(
            leased: leased, holder: holder, since: former.since, generation: former.generation)
        }
        return
      }
      if let ended = end(leased.address, at: now) { changes.ended.append(ended) }
    }
    guard leases.count < Self.maximumLeases else {
      refused &+= 1
      return
    }
    latestGeneration += 1
    let lease = Lease(leased: leased, holder: holder, since: now, generation: latestGeneration)
    leases[leased.address] = lease
    addressesByOwner[holder.owner, default: []].append(leased.address)
    if let hardware = leased.hardwareAddress { leasesByHardware[hardware] = leased.address }
    released[leased.address] = nil
    changes.begun.append(lease)
  }

  private mutating func end(_ address: IPAddress, at now: Timestamp) -> Lease? {
    guard let lease = leases.removeValue(forKey: address) else { return nil }
    let others = (addressesByOwner[lease.holder.owner] ?? []).filter { $0 != address }
    addressesByOwner[lease.holder.owner] = others.isEmpty ? nil : others
    if let hardware = lease.leased.hardwareAddress, leasesByHardware[hardware] == address {
      leasesByHardware[hardware] = others.first { leases[$0]?.leased.hardwareAddress == hardware }
    }
    if released.count >= Self.maximumReleased {
      released = released.filter { now.since($0.value) < Self.releasedGrace }
    }
    if released.count < Self.maximumReleased { released[address] = now }
    return lease
  }
}

/// What an announcement changed. For each lease that ended, the address's conntrack entries are to be deleted before
/// its next packet is judged: an address that moved is in both lists.
public struct LeaseChanges: Hashable, Sendable {
  /// Leases that ended, each before what replaced it.
  public internal(set) var ended: [Lease] = []
  /// Leases that began.
  public internal(set) var begun: [Lease] = []

  /// True when nothing changed.
  public var isEmpty: Bool { ended.isEmpty && begun.isEmpty }
}

// MARK: - Asking

/// Whose a source address is.
public enum LeaseLookup: Hashable, Sendable {
  /// The holder has it now.
  case leased(Lease)
  /// It is an address of containers, but nobody has it: released, or not announced yet. Its packets are to be held and
  /// asked about again, never to be charged to the former owner.
  case pending
  /// No address of containers.
  case unknown
}

extension AddressLeases {
  /// Whose `address` is at `now`.
  public func lookup(_ address: IPAddress, at now: Timestamp) -> LeaseLookup {
    let address = address.canonical
    if let lease = leases[address] { return .leased(lease) }
    if hostAddresses.contains(address) { return .unknown }
    if networks.contains(where: { $0.contains(address) }) { return .pending }
    if let time = released[address], now.since(time) < Self.releasedGrace { return .pending }
    return .unknown
  }

  /// The lease that is the `generation`th, if `address` still has it: whether what was remembered for a flow holds.
  public func isCurrent(_ address: IPAddress, generation: UInt64) -> Bool {
    leases[address.canonical]?.generation == generation
  }

  /// A lease of whoever sends from a link-layer address: who it is that uses a false source, or an address that no
  /// runtime gives out (IPv6 link-local ones among them). With several addresses, one of them.
  public func holder(of hardwareAddress: HardwareAddress) -> Lease? {
    leasesByHardware[hardwareAddress].flatMap { leases[$0] }
  }

  /// Compares a packet with the leases. For a leased address with its lease; an address of containers that nobody
  /// holds is a mismatch when the sender is known to hold others of that family: it has taken one more.
  public func check(
    _ address: IPAddress, hardwareAddress: HardwareAddress?, interface: UInt32?, at now: Timestamp
  ) -> SourceCheck {
    switch lookup(address, at: now) {
    case .leased(let lease): return lease.check(hardwareAddress: hardwareAddress, interface: interface)
    case .unknown: return .unknown
    case .pending:
      guard let hardwareAddress, let sender = holder(of: hardwareAddress) else { return .unknown }
      // An address of the other family may be on its way: the runtime announces both together, but later.
      let held = addressesByOwner[sender.holder.owner] ?? []
      return held.contains { $0.isIPv4 == address.canonical.isIPv4 } ? .mismatch(.hardwareAddress) : .unknown
    }
  }
}
