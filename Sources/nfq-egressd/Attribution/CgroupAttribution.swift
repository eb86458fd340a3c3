import PacketInspect

/// From a locally sent packet to its session. One thread at a time; every call is bounded in time.
///
/// sock_diag is asked while the packet waits. It can answer only while the socket is open, so a datagram that was sent
/// and closed at once has the slot alone (see `CgroupFinding.judge`). Two things it cannot tell, within one slot:
/// sockets that share a port (SO_REUSEPORT, which only one user's sockets may), and another user's socket that took the
/// port in the microseconds since; the latter is excluded by the owner where the kernel says whose the packet is.
struct CgroupAttribution: ~Copyable {
  /// Nanoseconds of each second that walks over the sockets of a port may take. One takes tens of microseconds, more
  /// on a host with many sockets, and an agent can provoke one with every datagram.
  static let portLookupTime: Int64 = 20_000_000

  /// Counts of what `attribute` gave.
  struct Counters: Hashable, Sendable {
    /// By evidence; and those that had neither a session's cgroup nor a slot.
    var bySocket: UInt64 = 0
    var bySlot: UInt64 = 0
    var byNothing: UInt64 = 0
    /// Sockets that were another's.
    var otherOwners: UInt64 = 0
    var elsewhere: UInt64 = 0
    /// Packets with a slot whose socket was said to be in the root cgroup: the sign of defeated ids.
    var rootWithSlot: UInt64 = 0
    /// Walks that were not made because their time was up.
    var skippedPortLookups: UInt64 = 0
  }

  /// What makes a cgroup a session.
  var rules: CgroupRules
  /// The cgroups of the rules' slots.
  var slots: CgroupSlots
  /// The counts so far.
  private(set) var counters = Counters()
  private var diagnosis: SocketDiagnosis
  private var tree: CgroupTree?
  private var portLookupsTook: Int64 = 0
  private var portLookupsSince = Timestamp(nanoseconds: 0)

  /// Without a tree (no cgroup v2 mounted) only slots tell.
  init(
    diagnosis: consuming SocketDiagnosis, tree: consuming CgroupTree?, rules: CgroupRules, slots: CgroupSlots
  ) {
    self.diagnosis = diagnosis
    self.tree = tree
    self.rules = rules
    self.slots = slots
  }

  /// Whose a packet is; nil when nothing tells. `slot` is that of its mark, `uid` what the kernel says of its owner
  /// (NFQA_UID). For protocols other than TCP and UDP only the slot tells.
  mutating func attribute(
    _ endpoints: SocketEndpoints, slot: UInt8, uid: UInt32?, now: Timestamp
  ) -> CgroupFinding? {
    let sender = sender(endpoints, slot: slot, uid: uid, now: now)
    let finding = CgroupFinding.judge(sender, slot: slot, slots: slots, rules: &rules)
    switch finding?.evidence {
    case .socket: counters.bySocket += 1
    case .slot: counters.bySlot += 1
    case nil: counters.byNothing += 1
    }
    if finding?.note == .elsewhere { counters.elsewhere += 1 }
    return finding
  }

  private mutating func sender(
    _ endpoints: SocketEndpoints, slot: UInt8, uid: UInt32?, now: Timestamp
  ) -> SenderCgroup {
    var answer = diagnosis.lookup(endpoints)
    if answer == .notFound, endpoints.proto == .udp {
      if mayWalk(now) {
        let begin = WallClock.now()
        answer = diagnosis.lookupByPort(endpoints)
        // A clock that was stepped back meanwhile takes nothing away.
        portLookupsTook += max(0, WallClock.now().since(begin))
      } else {
        counters.skippedPortLookups += 1
      }
    }
    switch answer {
    case .notFound: return .unknown(.socketGone)
    case .ambiguous: return .unknown(.ambiguous)
    case .notAsked, .failed: return .unknown(.notAsked)
    case .found(let owner):
      if let uid, uid != owner.uid {
        counters.otherOwners += 1
        return .unknown(.otherOwner)
      }
      guard let id = owner.cgroup else { return .unknown(.pathUnknown) }
      if id == CgroupTree.rootID, slot != 0 { counters.rootWithSlot += 1 }
      guard let location = tree?.location(of: id, now: now) else { return .unknown(.pathUnknown) }
      switch location {
      case .path(let path), .gone(lastPath: .some(let path)): return .path(path)
      case .gone(lastPath: nil): return .unknown(.cgroupGone)
      case .unknown: return .unknown(.pathUnknown)
      }
    }
  }

  private mutating func mayWalk(_ now: Timestamp) -> Bool {
    let age = now.since(portLookupsSince)
    if age < 0 || age >= 1_000_000_000 {
      portLookupsSince = now
      portLookupsTook = 0
    }
    return portLookupsTook < Self.portLookupTime
  }
}
