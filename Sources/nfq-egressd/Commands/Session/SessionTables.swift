/// Sessions as people read them.
enum SessionTables {
  /// All sessions, one a line.
  static func list(_ sessions: [ControlSession], at now: Double) -> [String] {
    guard !sessions.isEmpty else { return ["no session lives"] }
    var table = TextTable([
      .left("SESSION"), .left("TYPE"), .right("USED"), .right("CEILING"), .right("SHARE"), .left("ON REACH"),
      .right("FLOWS"), .right("SENT"), .right("REFUSED"), .right("FLAGS"), .right("SEEN"), .right("STARTED"),
      .left("BY"),
    ])
    for session in sessions {
      table.add([
        session.id, session.agentType, "\(session.budget.used)", session.budget.ceiling.map { "\($0)" } ?? "-",
        session.share.map { HumanText.share($0) } ?? "-", session.budget.onReach ?? "-", "\(session.flows)",
        HumanText.bytes(session.bytesOut), "\(session.refused)", "\(session.flags)",
        HumanText.age(session.lastSeen, at: now), HumanText.age(session.started, at: now), session.attribution,
      ])
    }
    return table.lines
  }

  /// What stands above a session's destinations.
  static func head(_ session: ControlSession, addresses: [String], cgroups: [String], at now: Double) -> [String] {
    var table = TextTable([.left(""), .left("")], hasHeader: false)
    table.add(["session", session.id])
    table.add(["agent type", session.agentType])
    table.add(["known by", session.attribution])
    if !addresses.isEmpty { table.add(["addresses", addresses.joined(separator: ", ")]) }
    if !cgroups.isEmpty { table.add(["control groups", cgroups.joined(separator: ", ")]) }
    table.add(["started", HumanText.age(session.started, at: now)])
    table.add(["last seen", HumanText.age(session.lastSeen, at: now)])
    table.add(["budget", budget(session.budget)])
    table.add(["flows", "\(session.flows)"])
    table.add(["bytes", "\(HumanText.bytes(session.bytesOut)) sent, \(HumanText.bytes(session.bytesIn)) received"])
    table.add(["refused", "\(session.refused)"])
    table.add(["flags", "\(session.flags)"])
    return table.lines
  }

  /// A session's mix of categories beside its type's baseline, one category a line.
  static func mix(_ mix: ControlMix) -> [String] {
    var table = TextTable([
      .left("CATEGORY"), .right("CONTACTS"), .right("SHARE"), .right("BASELINE"), .left(""),
    ])
    for row in mix.categories {
      table.add([
        row.category, "\(row.contacts)", HumanText.share(row.share), row.baseline.map { HumanText.share($0) } ?? "-",
        row.risen == true ? "rose" : "",
      ])
    }
    let lines = table.lines + ["baseline: \(basis(mix.learned))"]
    guard mix.flags > 0 else { return lines }
    let held = mix.held ? ", held until 'session release'" : ""
    return lines + [
      "\(mix.flags) \(mix.flags == 1 ? "shift" : "shifts") flagged (onShift: \(mix.onShift))\(held)"
    ]
  }

  /// What a baseline rests on.
  private static func basis(_ learned: ControlMix.Learned?) -> String {
    guard let learned else { return "configured" }
    let sessions = "\(learned.sessions) reviewed \(learned.sessions == 1 ? "session" : "sessions")"
    return "learned from \(sessions), \(learned.contacts) contacts, prior \(Int(learned.prior))"
  }

  /// A session's destinations, one a line.
  static func destinations(_ destinations: [ControlDestination], at now: Double) -> [String] {
    guard !destinations.isEmpty else { return ["no destination yet"] }
    var table = TextTable([
      .left("DESTINATION"), .left("CATEGORY"), .left("EVIDENCE"), .right("FIRST SEEN"), .right("LAST SEEN"),
      .right("CONTACTS"),
    ])
    for destination in destinations {
      table.add([
        destination.destination, destination.category ?? "", destination.evidence,
        HumanText.age(destination.firstSeen, at: now),
        HumanText.age(destination.lastSeen, at: now), "\(destination.contacts)",
      ])
    }
    return table.lines
  }

  /// A budget in words.
  static func budget(_ budget: ControlSession.Budget) -> String {
    guard let ceiling = budget.ceiling else { return "\(budget.used) destinations, no ceiling" }
    let extension_ = budget.extendedBy > 0 ? " (extended by \(budget.extendedBy))" : ""
    let reach = budget.onReach.map { ", then \($0)" } ?? ""
    return "\(budget.used) of \(ceiling) destinations\(extension_)\(reach)"
  }
}
