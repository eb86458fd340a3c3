/// Whose a locally sent packet is, and how that is known.
struct CgroupFinding: Hashable, Sendable {
  /// What it rests on.
  enum Evidence: String, Hashable, Sendable {
    /// The cgroup of the socket that sent it.
    case socket = "cgroup"
    /// The mark bits that an xt_cgroup rule set while it was sent: one of the configured `--cgroup` paths.
    case slot = "cgroup-slot"
  }

  /// Why the evidence is no better, or what else is odd. For telling, not for deciding.
  enum Note: Hashable, Sendable {
    /// The captured agent type is not configured: the session has the type `unattributed`.
    case unknownType(String)
    /// The socket was closed before it could be asked for.
    case socketGone
    /// The socket's cgroup is no session's.
    case noSession
    /// The socket's cgroup was removed before its path was known.
    case cgroupGone
    /// Its path cannot be found out, or this kernel does not tell the cgroup.
    case pathUnknown
    /// Sockets of several cgroups share the port.
    case ambiguous
    /// A socket with these ports is outside the slot's cgroup: it is another one than the one that sent.
    case elsewhere
    /// A socket with these ports belongs to another user: likewise.
    case otherOwner
    /// The rules record no cgroup for this slot.
    case unknownSlot
    /// sock_diag failed, or is not there.
    case notAsked
  }

  /// The session's id.
  var session: String
  /// Its agent type.
  var agentType: String
  /// What the finding rests on.
  var evidence: Evidence
  /// The cgroup of the socket, or the slot's; nil when neither is known.
  var path: String?
  /// What is to be told with it.
  var note: Note?
}

/// What was found out about the cgroup of the sending socket.
enum SenderCgroup: Hashable, Sendable {
  /// The socket's cgroup is, or was when it was last seen, at this path.
  case path(String)
  /// It is not known, for this reason.
  case unknown(CgroupFinding.Note)
}

extension CgroupFinding {
  /// The id of the session of a slot. It has characters that no configured or captured name has, so that no session
  /// can be named to collide with it.
  static func slotSession(_ path: String) -> String { "cgroup:\(path)" }

  /// The finding from the sender's cgroup and the slot. Nil when there is no slot and the cgroup is no session's.
  /// The slot is beyond doubt: the kernel compared the very socket while it sent. Within it the socket decides.
  static func judge(
    _ sender: SenderCgroup, slot: UInt8, slots: CgroupSlots, rules: inout CgroupRules
  ) -> CgroupFinding? {
    var note: Note
    switch sender {
    case .path(let path):
      if slot != 0, let cgroup = slots[slot], !covers(cgroup.path, path) {
        note = .elsewhere
      } else if let match = rules.match(path) {
        return CgroupFinding(
          session: match.session, agentType: match.agentType, evidence: .socket, path: path,
          note: match.unknownType.map { .unknownType($0) })
      } else {
        note = .noSession
      }
    case .unknown(let reason): note = reason
    }
    guard slot != 0 else { return nil }
    guard let cgroup = slots[slot] else {
      return CgroupFinding(
        session: slotSession("slot-\(slot)"), agentType: AgentType.unattributedName, evidence: .slot, path: nil,
        note: .unknownSlot)
    }
    // A slot for one session's own cgroup is as good as its socket.
    if let match = rules.match(cgroup.path) {
      if let type = match.unknownType { note = .unknownType(type) }
      return CgroupFinding(
        session: match.session, agentType: match.agentType, evidence: .slot, path: cgroup.path, note: note)
    }
    return CgroupFinding(
      session: slotSession(cgroup.path), agentType: AgentType.unattributedName, evidence: .slot, path: cgroup.path,
      note: note)
  }

  private static func covers(_ ancestor: String, _ path: String) -> Bool {
    path == ancestor || (path.hasPrefix(ancestor) && path.dropFirst(ancestor.count).first == "/")
  }
}
