import Glibc
import PacketInspect

/// All that this host knows of packets' senders: sockets' control groups where packets are sent here, leases of
/// containers' addresses where they come by. Belongs to the queue's thread.
final class HostEvidence: SessionEvidence {
  /// Time between two looks at what may have changed on the host, in nanoseconds.
  private static let lookInterval: Int64 = 5 * 1_000_000_000
  /// Sessions of control groups whose end is watched for.
  private static let maximumWatched = 16_384

  private var cgroups: CgroupAttribution
  private var slotFile: CgroupSlotFile
  private var watched: [String: String] = [:]
  private let mount: CgroupMount?
  private var registered: Set<String> = []
  private var lastLook = Timestamp(nanoseconds: 0)
  /// The leases of containers' addresses.
  var leases = AddressLeases()

  /// Evidence under a configuration. Throws when the kernel has no sock_diag.
  init(_ configuration: Configuration) throws(SocketDiagnosisError) {
    slotFile = CgroupSlotFile(runDirectory: configuration.rules.directory)
    let mount = CgroupMount.find()
    self.mount = mount
    let rules = CgroupRules(
      patterns: configuration.sessions.cgroups, agentTypes: Set(configuration.agentTypes.keys))
    let slots = slotFile.changed() ?? CgroupSlots()
    let diagnosis = try SocketDiagnosis()
    if let mount {
      cgroups = CgroupAttribution(diagnosis: diagnosis, tree: CgroupTree(mount), rules: rules, slots: slots)
    } else {
      cgroups = CgroupAttribution(diagnosis: diagnosis, tree: nil, rules: rules, slots: slots)
    }
  }

  /// Takes a new configuration's patterns over.
  func reconfigure(_ configuration: Configuration) {
    cgroups.rules = cgroups.rules.reconfigured(
      patterns: configuration.sessions.cgroups, agentTypes: Set(configuration.agentTypes.keys))
  }

  /// Registers control groups for an orchestrator's session.
  func register(_ registration: SessionRegistration) {
    registered.insert(registration.id)
    for path in registration.cgroups {
      cgroups.rules.register(.init(session: registration.id, agentType: registration.agentType), at: path)
    }
  }

  /// Ends a registration.
  func unregister(_ registration: SessionRegistration) {
    registered.remove(registration.id)
    for path in registration.cgroups { cgroups.rules.unregister(path) }
  }

  func finding(
    for endpoints: PacketEndpoints, meta: PacketMeta, isLastAsk: Bool, at now: Timestamp
  ) -> SessionFinding {
    if meta.hook == .output { return local(endpoints, meta, now) }
    return leased(endpoints.source, meta, now)
  }

  /// A packet sent by a socket of this host.
  private func local(_ endpoints: PacketEndpoints, _ meta: PacketMeta, _ now: Timestamp) -> SessionFinding {
    let socket = SocketEndpoints(
      local: endpoints.source, localPort: endpoints.sourcePort, remote: endpoints.destination,
      remotePort: endpoints.destinationPort, proto: IPProtocol(rawValue: endpoints.proto),
      interface: meta.outputInterface)
    guard let found = cgroups.attribute(socket, slot: meta.slot, uid: meta.uid, now: now) else {
      return .nothing
    }
    let attribution: Attribution
    switch found.evidence {
    case .slot: attribution = .cgroupSlot
    case .socket: attribution = registered.contains(found.session) ? .registeredCgroup : .cgroup
    }
    if let path = sessionPath(of: found), watched[found.session] != nil || watched.count < Self.maximumWatched {
      watched[found.session] = path
    }
    return .claim(SessionClaim(id: found.session, agentType: found.agentType, attribution: attribution))
  }

  /// The session's own cgroup: processes in cgroups below it come and go.
  private func sessionPath(of found: CgroupFinding) -> String? {
    guard let path = found.path else { return nil }
    guard let match = cgroups.rules.match(path), match.session == found.session else { return path }
    return match.path
  }

  /// A packet that comes by, from a container or from nobody known.
  private func leased(_ source: IPAddress, _ meta: PacketMeta, _ now: Timestamp) -> SessionFinding {
    let check = leases.check(
      source, hardwareAddress: meta.hardwareAddress, interface: meta.inputInterface, at: now)
    if case .mismatch(let aspect) = check {
      let sender = meta.hardwareAddress.flatMap { leases.holder(of: $0) }
      return .spoofed(sender.map { claim($0) }, aspect: aspect.rawValue)
    }
    switch leases.lookup(source, at: now) {
    case .leased(let lease): return .claim(claim(lease))
    case .pending: return .pending
    case .unknown: return unleased(source, meta)
    }
  }

  /// A packet from an address that no runtime gives out. A container's interface sends from its link-local address of
  /// right, and from any other to hide.
  private func unleased(_ source: IPAddress, _ meta: PacketMeta) -> SessionFinding {
    let isOwnRight = source.canonical.isLinkLocalOrUnspecified
    guard let sender = meta.hardwareAddress.flatMap({ leases.holder(of: $0) }) else {
      // A container speaks on its link before the runtime announces it.
      return isOwnRight && leases.hasNetworks ? .pending : .nothing
    }
    return isOwnRight ? .claim(claim(sender)) : .spoofed(claim(sender), aspect: SourceAspect.hardwareAddress.rawValue)
  }

  private func claim(_ lease: Lease) -> SessionClaim {
    SessionClaim(id: lease.session, agentType: lease.holder.agentType, attribution: .container)
  }

  /// Looks, every few seconds, at what may have changed: the rules' slots, and control groups that are gone. Gives the
  /// sessions of those.
  func look(at now: Timestamp) -> [String] {
    guard now.since(lastLook) >= Self.lookInterval || now < lastLook else { return [] }
    lastLook = now
    if let slots = slotFile.changed() { cgroups.slots = slots }
    guard let mount else { return [] }
    let gone = watched.filter { unsafe access(mount.directory(ofCgroup: $0.value), F_OK) != 0 }.map(\.key)
    for session in gone { watched[session] = nil }
    return gone
  }
}
