/// Flagged sessions as people read them.
enum ReviewTables {
  static func list(_ reviews: [ControlReview], at now: Double) -> [String] {
    guard !reviews.isEmpty else { return ["no flagged session is in such a state"] }
    var table = TextTable([
      .left("SESSION"), .left("TYPE"), .left("STATE"), .right("LEVEL"), .right("FLAGS"), .right("LAST"),
      .left("LAST STEP"), .left("KINDS"),
    ])
    for review in reviews {
      table.add([
        review.id, review.agentType ?? "-", review.state, "\(review.severity)", "\(review.flags)",
        HumanText.age(review.last, at: now), review.step.map { "\(word($0)) by \($0.who)" } ?? "-",
        review.kinds.map { $0.count > 1 ? "\($0.kind) (\($0.count))" : $0.kind }.joined(separator: ", "),
      ])
    }
    return table.lines
  }

  /// An item with its flags, what was done about it, and the overlays that concern it.
  static func show(_ response: ControlResponse, at now: Double) -> [String] {
    guard let review = response.review else { return [] }
    var table = TextTable([.left(""), .left("")], hasHeader: false)
    table.add(["session", review.id])
    table.add(["agent type", review.agentType ?? "-"])
    table.add(["state", review.state])
    table.add(["level", "\(review.severity)"])
    table.add(["version", review.version])
    table.add([
      "flags",
      "\(review.flags), first \(HumanText.age(review.first, at: now)), last \(HumanText.age(review.last, at: now))",
    ])
    let flags = response.flags ?? []
    var lines = table.lines + [""] + self.flags(flags, after: review.step?.flag, at: now)
    if flags.count < review.flags { lines.append("the latest \(flags.count) of \(review.flags) are shown") }
    if let steps = response.steps, !steps.isEmpty { lines += [""] + self.steps(steps, at: now) }
    if let overlays = response.overlays, !overlays.isEmpty { lines += [""] + OverlayTables.list(overlays, at: now) }
    return lines
  }

  /// What a reviewer had not seen.
  static func difference(_ response: ControlResponse, at now: Double) -> [String] {
    var lines: [String] = []
    if let flags = response.flags, !flags.isEmpty {
      lines += ["flags raised since:"] + self.flags(flags, after: nil, at: now)
    }
    if let steps = response.steps, !steps.isEmpty { lines += ["done since:"] + self.steps(steps, at: now) }
    return lines
  }

  /// What came of a step.
  static func done(_ response: ControlResponse) -> [String] {
    guard let review = response.review, let step = review.step else { return [] }
    var lines = ["session \(TextTable.printable(review.id)) is \(review.state): \(word(step))"]
    if let overlay = response.overlay {
      lines.append("overlay \(overlay.id) is in force: \(overlay.kind), \(TextTable.printable(overlay.scope))")
    }
    if let session = response.session, step.disposition == "extend" {
      lines.append("it now has \(SessionTables.budget(session.budget))")
    }
    if step.disposition == "benign" {
      lines.append(
        response.contacts ?? 0 > 0
          ? "its type learns from its \(response.contacts ?? 0) contacts at the next reload, if categories.learn is 'reviewed'"
          : "its type's baseline learns nothing from it: it has none, or nothing was counted, or the session is long gone"
      )
    }
    if response.kept == "waiting" { lines.append("it is not on disk yet: the store cannot be written just now") }
    return lines
  }

  private static func flags(_ flags: [ControlFlag], after seen: UInt64?, at now: Double) -> [String] {
    var table = TextTable([.left(""), .right("RAISED"), .right("LEVEL"), .left("KIND"), .left("WHAT")])
    for flag in flags {
      let isNew = seen.map { flag.id > $0 } ?? false
      table.add([isNew ? "new" : "", HumanText.age(flag.at, at: now), "\(flag.severity)", flag.kind, flag.summary])
      let evidence = flag.evidence.map { "\($0.name) \($0.count.map { "\($0)" } ?? $0.text ?? "")" }
      if !evidence.isEmpty { table.add(["", "", "", "", "  " + evidence.joined(separator: ", ")]) }
    }
    return table.lines
  }

  private static func steps(_ steps: [ControlReviewStep], at now: Double) -> [String] {
    var table = TextTable([.left("DONE"), .right("WHEN"), .left("WHO"), .left("ABOUT"), .left("ENDS"), .left("WHY")])
    for step in steps {
      table.add([
        word(step), HumanText.age(step.at, at: now), step.who, step.subject ?? "-",
        step.expires.map { OverlayTables.ending($0 - now) } ?? "-", step.why,
      ])
    }
    return table.lines
  }

  private static func word(_ step: ControlReviewStep) -> String { step.disposition ?? step.action }
}
