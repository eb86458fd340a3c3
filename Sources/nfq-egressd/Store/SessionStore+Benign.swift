import FoundationEssentials
import GRDB
import PacketInspect

/// Sessions that reviewers found benign.
extension SessionStore {
  /// Sessions of one type that a baseline is learned from, the latest reviewed: far more than move it any further, read
  /// in some milliseconds.
  static let maximumBenign = 10_000

  static func write(_ mix: BenignMix, _ change: OverlayChange, into database: Database) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try database.execute(
      sql: """
        INSERT INTO benignMix (session, started, agentType, at, who, peer, why, contacts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        mix.session, mix.started.nanoseconds, mix.agentType, change.at.nanoseconds, change.author.name,
        change.author.peer, change.author.why, String(decoding: try encoder.encode(mix.contacts), as: UTF8.self),
      ])
  }

  /// The sessions of an agent type that were found benign, each as it was reviewed last, oldest review first; without
  /// those whose last review withdraws that.
  static func benign(_ agentType: String, path: String, limit: Int = maximumBenign) throws(Failure) -> [BenignMix] {
    try mixes(
      path: path,
      sql: """
        SELECT session, started, agentType, contacts FROM benignMix
        WHERE id IN (SELECT MAX(id) FROM benignMix GROUP BY session, started) AND agentType = ? AND contacts <> '{}'
        ORDER BY id DESC LIMIT ?
        """, [agentType, limit]
    ).reversed()
  }

  /// What was said last of the sessions of an id, and not withdrawn; nil when there is nothing.
  static func standing(_ session: String, path: String) throws(Failure) -> BenignMix? {
    try mixes(
      path: path,
      sql: """
        SELECT session, started, agentType, contacts FROM benignMix
        WHERE id IN (SELECT MAX(id) FROM benignMix WHERE session = ? GROUP BY started) AND contacts <> '{}'
        ORDER BY id DESC LIMIT 1
        """, [session]
    ).first
  }

  private static func mixes(path: String, sql: String, _ arguments: StatementArguments) throws(Failure) -> [BenignMix] {
    try read(path) { database in
      try Row.fetchAll(database, sql: sql, arguments: arguments).compactMap { row in
        let contacts = try? JSONDecoder().decode([String: UInt64].self, from: Data((row["contacts"] as String).utf8))
        return contacts.map {
          BenignMix(
            session: row["session"], started: Timestamp(nanoseconds: row["started"]), agentType: row["agentType"],
            contacts: $0)
        }
      }
    }
  }

  /// Reads by a connection of its own: the writer's may be to a file that was set aside since.
  static func read<T>(_ path: String, _ body: (Database) throws -> T) throws(Failure) -> T {
    do {
      var configuration = GRDB.Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(1)
      return try DatabaseQueue(path: path, configuration: configuration).read(body)
    } catch {
      throw Failure(error)
    }
  }
}
