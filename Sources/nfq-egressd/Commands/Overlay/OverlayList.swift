import ArgumentParser

/// `nfq-egressd overlay list`.
struct OverlayList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the overlays in force.",
    discussion: "With --json, an array of overlays as docs/control.md describes them."
  )

  @Option(help: "Only those that name this session.")
  var session: String?

  @OptionGroup var options: SessionOptions

  func run() throws {
    let overlays = try options.send(ControlRequest(.overlayList, id: session)).overlays ?? []
    if options.json { return try options.print(json: overlays) }
    options.print(OverlayTables.list(overlays, at: WallClock.now().unixSeconds))
  }
}

/// `nfq-egressd overlay remove`.
struct OverlayRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove an overlay.",
    discussion: "It stays in the record, with who removed it and why."
  )

  @Argument(help: "The overlay's number.")
  var overlay: UInt64

  @OptionGroup var reason: OverlayReason
  @OptionGroup var options: SessionOptions

  func run() throws {
    var request = ControlRequest(.overlayRemove)
    request.overlay = overlay
    reason.fill(&request)
    try OverlayReport.print(try options.send(request), options, "is removed")
  }
}

/// Overlays as people read them.
enum OverlayTables {
  static func list(_ overlays: [ControlOverlay], at now: Double) -> [String] {
    guard !overlays.isEmpty else { return ["no overlay is in force"] }
    var table = TextTable([
      .right("ID"), .left("KIND"), .left("SUBJECT"), .left("SCOPE"), .left("WHO"), .left("MADE"), .left("ENDS"),
      .left("WHY"),
    ])
    for overlay in overlays {
      table.add([
        "\(overlay.id)", overlay.kind, matter(overlay), overlay.scope, overlay.who,
        HumanText.age(overlay.made, at: now),
        overlay.expires.map { ending($0 - now) } ?? "-", overlay.why,
      ])
    }
    return table.lines
  }

  /// What an overlay is about; `-` for a block, which is about its scope.
  static func matter(_ overlay: ControlOverlay) -> String {
    guard let budget = overlay.budget else { return overlay.subject ?? "-" }
    var parts: [String] = []
    if let count = budget.destinations { parts.append("\(count) destinations") }
    if let bytes = budget.uploadBytes { parts.append("\(HumanText.bytes(bytes)) sent") }
    if let window = budget.window { parts.append("window \(window)") }
    if let reach = budget.onReach { parts.append("then \(reach)") }
    return parts.joined(separator: ", ")
  }

  static func ending(_ seconds: Double) -> String {
    switch max(0, seconds) {
    case ..<60: "in \(Int(max(0, seconds))) s"
    case ..<3_600: "in \(Int(seconds / 60)) min"
    case ..<172_800: "in \(Int(seconds / 3_600)) h"
    default: "in \(Int(min(seconds / 86_400, 1e9))) d"
    }
  }
}

/// What a command tells of the overlay that it was about.
enum OverlayReport {
  static func print(_ response: ControlResponse, _ options: SessionOptions, _ what: String) throws {
    guard let overlay = response.overlay else { return }
    if options.json { return try options.print(json: response) }
    let matter = OverlayTables.matter(overlay)
    var lines = ["overlay \(overlay.id) \(what): \(overlay.kind)\(matter == "-" ? "" : " \(matter)"), \(overlay.scope)"]
    switch response.kept {
    case "memory": lines.append("it is in memory only (store.path: none): a restart of the daemon forgets it")
    case "waiting": lines.append("it acts, but is not on disk yet: the store cannot be written just now")
    default: break
    }
    if response.lives == false { lines.append("no session of this id lives now; it acts when one begins") }
    options.print(lines)
  }
}
