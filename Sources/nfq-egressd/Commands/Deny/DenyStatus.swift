import ArgumentParser
import PacketInspect

/// `nfq-egressd deny status`.
struct DenyStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the deny-lists: entries, age, and whether their snapshots are there.",
    discussion: """
      'stale' is a list whose file is older than its maxAge: whatever keeps it fresh has stopped.

      Exit status: 0 no list is stale, 1 some list is, 78 bad configuration.
      """
  )

  @OptionGroup var options: DenyOptions

  @Flag(help: "Print a JSON array.")
  var json = false

  /// One list.
  struct Row: Encodable, Equatable {
    var list: String
    var names: Int
    var networks: Int
    /// Absent for a built-in list.
    var ageSeconds: Int64?
    var maxAgeSeconds: Int64?
    var stale: Bool
    /// True when its snapshot is there and as new as the list.
    var compiled: Bool
    /// Bytes of the snapshot.
    var bytes: Int
  }

  func run() throws {
    let host = try HostServices.open()
    let now = WallClock.now()
    let loaded = try options.read(host) { source, configuration throws(FileError) in
      try ListStore.asFound(configuration, host.suffixes).load(source)
    }
    let rows = loaded.lists.map { Self.row($0, at: now) }
    print(json ? try DenyOptions.json(rows) : Self.table(rows))
    if rows.contains(where: \.stale) { throw ExitCode(1) }
  }

  /// The row of a list.
  static func row(_ list: LoadedList, at now: Timestamp) -> Row {
    let age = list.modified.map { max(0, now.since($0) / 1_000_000_000) }
    let limit = list.source.maxAge?.seconds
    var isStale = false
    if let age, let limit { isStale = age > limit }
    return Row(
      list: list.source.name, names: list.entries?.domains ?? 0, networks: list.entries?.networks ?? 0,
      ageSeconds: age, maxAgeSeconds: limit, stale: isStale, compiled: !list.wasCompiled,
      bytes: list.entries?.size ?? 0)
  }

  private static func table(_ rows: [Row]) -> String {
    var table = TextTable([
      .left("list"), .right("names"), .right("networks"), .right("age, h"), .right("maxAge, h"), .left("snapshot"),
      .left(""),
    ])
    for row in rows {
      func hours(_ seconds: Int64?) -> String { seconds.map { "\($0 / 3_600)" } ?? "-" }
      table.add([
        row.list, "\(row.names)", "\(row.networks)", hours(row.ageSeconds), hours(row.maxAgeSeconds),
        row.compiled ? "ready" : row.ageSeconds == nil ? "built in" : "missing", row.stale ? "stale" : "",
      ])
    }
    return table.lines.joined(separator: "\n")
  }
}
