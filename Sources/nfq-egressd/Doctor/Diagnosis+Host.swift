extension Diagnosis {
  /// Age in days from which on a public suffix list is old: registries are added every month.
  static let oldSuffixes: Int64 = 400

  /// What the host offers.
  static func host(_ facts: DoctorFacts) -> [Finding] {
    [suffixes(facts), privileges(facts.rights), kernelQueue(facts), kernelTarget(facts), conntrack(facts.conntrack)]
      + settings(facts)
  }

  private static func suffixes(_ facts: DoctorFacts) -> Finding {
    guard let list = facts.suffixes else {
      return .fail(
        .suffixes, "no list can be opened: names have no registrable domains, and no daemon starts",
        mend: "install the package publicsuffix")
    }
    guard list.madeAt > 0 else {
      return .warn(.suffixes, "\(list.source) does not tell its age", mend: "update the package publicsuffix")
    }
    let days = max(0, facts.now - list.madeAt) / 86_400
    return days < oldSuffixes
      ? .ok(.suffixes, "\(list.source) is \(days) days old")
      : .warn(.suffixes, "\(list.source) is \(days) days old", mend: "update the package publicsuffix")
  }

  private static func privileges(_ rights: DoctorFacts.Rights) -> Finding {
    if rights.administersNetwork {
      return .ok(.privileges, rights.isRoot ? "root with CAP_NET_ADMIN" : "CAP_NET_ADMIN, without root")
    }
    return rights.isRoot
      ? .fail(
        .privileges, "root without CAP_NET_ADMIN: no queue can be bound here",
        mend: "give the container or service CAP_NET_ADMIN")
      : .cannotTell(.privileges, without: "CAP_NET_ADMIN whether a daemon can have it")
  }

  private static func kernelQueue(_ facts: DoctorFacts) -> Finding {
    switch facts.queues {
    case .absent:
      .fail(
        .kernelQueue, "the kernel has no nfnetlink_queue in this network namespace", mend: "modprobe nfnetlink_queue")
    case .hidden, .shown: .ok(.kernelQueue, "nfnetlink_queue is there")
    }
  }

  private static func kernelTarget(_ facts: DoctorFacts) -> Finding {
    if let status = facts.status, !status.families.isEmpty, !hasNoRules(status) {
      return .ok(.kernelTarget, "xt_NFQUEUE is in use by the rules")
    }
    if facts.seesTarget { return .ok(.kernelTarget, "xt_NFQUEUE is there") }
    return facts.rights.isRoot
      ? .warn(
        .kernelTarget, "xt_NFQUEUE was not seen; it may be built in",
        mend: "modprobe xt_NFQUEUE, or see whether install succeeds")
      : .cannotTell(.kernelTarget, without: "root")
  }

  private static func conntrack(_ conntrack: DoctorFacts.Conntrack) -> Finding {
    switch conntrack {
    case .answers: return .ok(.conntrack, "connection tracking answers over netlink")
    case .fails(let error) where error.isLackOfPrivilege: return .cannotTell(.conntrack, without: "CAP_NET_ADMIN")
    case .fails(let error):
      return .fail(
        .conntrack, "\(error): flows cannot be left to the kernel, nor taken back",
        mend: "modprobe nf_conntrack_netlink")
    }
  }

  private static func settings(_ facts: DoctorFacts) -> [Finding] {
    guard let accounting = facts.accounting else {
      return [
        .fail(
          .accounting, "there is no connection tracking in this network namespace",
          mend: "modprobe nf_conntrack, and install the rules")
      ]
    }
    let counts: Finding =
      accounting == "1"
      ? .ok(.accounting, "connections are counted")
      : .fail(
        .accounting, "connections are not counted (nf_conntrack_acct is \(accounting)): no flow is left to the kernel",
        mend: "sysctl -w net.netfilter.nf_conntrack_acct=1")
    let checks: Finding =
      facts.liberal == "0"
      ? .ok(.sequences, "sequence numbers are checked")
      : .fail(
        .sequences, "sequence numbers are not checked (nf_conntrack_tcp_be_liberal): no flow is left to the kernel",
        mend: "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=0")
    return [counts, checks]
  }
}
