import Glibc

extension Diagnosis {
  /// Bytes that should be free, and without which nothing can be written for long.
  static let wantedSpace: UInt64 = 100_000_000
  static let leastSpace: UInt64 = 1_000_000

  /// What the daemon writes to and speaks with, and how it attributes.
  static func surroundings(_ facts: DoctorFacts, _ configuration: Configuration) -> [Finding] {
    var found = [identifiers(facts, configuration)]
    found.append(
      facts.store.map { place(.store, $0, facts.rights) }
        ?? .warn(
          .store, "nothing is kept: sessions, flags and reviewers' decisions are lost when the daemon stops",
          mend: "set store.path"))
    found.append(
      facts.events.map { place(.events, $0, facts.rights) } ?? .ok(.events, "written to standard output"))
    found.append(
      peer(
        .control, facts.control, configuration.control.socket,
        mend: "start the daemon, or mend control.socket", hiddenFrom: "root or the group \(configuration.control.group)"
      ))
    if let containers = facts.containers, let source = configuration.sessions.containers {
      found.append(
        peer(
          .containers, containers, source.socket,
          mend: "start the container runtime's socket, or mend sessions.containers.socket", hiddenFrom: "root"))
    }
    return found
  }

  private static func identifiers(_ facts: DoctorFacts, _ configuration: Configuration) -> Finding {
    let isNeeded = !configuration.sessions.cgroups.isEmpty || facts.status?.cgroups.isEmpty == false
    guard isNeeded else { return .ok(.cgroupIDs, "no session is told by its control group") }
    let mend = "boot without net_cls and net_prio, or use Linux 5.15 or newer"
    switch facts.identifiers {
    case .working: return .ok(.cgroupIDs, "sockets tell their control groups")
    case .untested: return .ok(.cgroupIDs, "not defeated by net_cls or net_prio")
    case .defeated:
      return .fail(
        .cgroupIDs, "net_cls or net_prio defeats them: every socket is said to be in the root control group", mend: mend
      )
    case .doubtful:
      return .warn(.cgroupIDs, "net_cls or net_prio is in use, which defeats them before Linux 5.15", mend: mend)
    case .contradictory:
      return .warn(
        .cgroupIDs, "the doctor's socket is said to be in another control group than the doctor",
        mend: "run the doctor anew from a shell that was not moved")
    case .unsupported:
      return .warn(
        .cgroupIDs, "the kernel does not tell sockets' control groups: only the rules' slots do",
        mend: "modprobe inet_diag tcp_diag udp_diag, or use Linux 5.8 or newer")
    case nil:
      return .warn(
        .cgroupIDs, "no cgroup v2 hierarchy is seen from here",
        mend: "run the doctor as the daemon is run (nsenter --net)")
    }
  }

  /// Whether a file can be written, or made.
  private static func place(_ check: Finding.Check, _ place: DoctorFacts.Place, _ rights: DoctorFacts.Rights) -> Finding
  {
    guard let folder = place.folder else { return unmade(check, place, rights) }
    // The store makes files of its own beside it.
    let refusal = [check == .store || place.file == nil ? folder : 0, place.file ?? 0].first { $0 != 0 }
    if let refusal { return refused(check, place.path, refusal, rights) }
    guard let free = place.free else { return .ok(check, "\(place.path) can be written") }
    let left = "\(HumanText.bytes(free)) are free for \(place.path)"
    if free < leastSpace { return .fail(check, left, mend: "make room") }
    return free < wantedSpace
      ? .warn(check, left, mend: "make room") : .ok(check, "\(place.path) can be written; \(left)")
  }

  /// No directory: the daemon makes one, if only one is missing, when it opens the file.
  private static func unmade(_ check: Finding.Check, _ place: DoctorFacts.Place, _ rights: DoctorFacts.Rights)
    -> Finding
  {
    switch place.above {
    case 0:
      .warn(
        check, "the directory of \(place.path) does not exist: a daemon that runs writes where nobody looks",
        mend: "make it, then reload or start the daemon, which makes it itself when it starts")
    case let refusal?: refused(check, place.path, refusal, rights)
    case nil: .fail(check, "the directory of \(place.path) does not exist", mend: "make it, for the daemon's user")
    }
  }

  private static func refused(
    _ check: Finding.Check, _ path: String, _ number: Int32, _ rights: DoctorFacts.Rights
  ) -> Finding {
    if !rights.isRoot, number == EACCES || number == EPERM { return .cannotTell(check, without: "root") }
    return .fail(
      check, "\(path) cannot be written: \(UnixFailure(number: number).text)",
      mend: "mend its directory, its permissions or its file system")
  }

  private static func peer(
    _ check: Finding.Check, _ peer: DoctorFacts.Peer, _ socket: String, mend: String, hiddenFrom need: String
  ) -> Finding {
    switch peer {
    case .answers: .ok(check, "\(socket) answers")
    case .hidden: .cannotTell(check, without: need)
    case .silent(let why): .fail(check, why, mend: mend)
    }
  }
}
