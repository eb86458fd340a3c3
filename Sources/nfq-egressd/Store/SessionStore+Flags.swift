import FoundationEssentials
import GRDB
import PacketInspect

extension SessionStore {
  /// Writes flags. Their numbers are never used twice, so that one handed over again is the same.
  static func insert(_ flags: [RaisedFlag], into database: Database) throws {
    guard !flags.isEmpty else { return }
    let put = try database.cachedStatement(
      sql: "INSERT OR IGNORE INTO flag (id, session, at, kind, summary, evidence, overlay) VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    for raised in flags {
      try put.execute(arguments: [
        Int64(bitPattern: raised.flag.id), raised.session, raised.time.nanoseconds, raised.flag.kind.rawValue,
        raised.flag.summary, try text(raised.flag.evidence),
        overlay(raised.flag.evidence),
      ])
    }
  }

  /// The flags of a session, oldest first.
  func flags(of session: String) throws(Failure) -> [RaisedFlag] {
    do {
      return try pool.read { try Self.flags(of: session, after: 0, limit: .max, in: $0) }
    } catch {
      throw Failure(error)
    }
  }

  /// Those of a session later than the one of this number, oldest first; of more than `limit` the latest.
  static func flags(of session: String, after number: UInt64, limit: Int, in database: Database) throws -> [RaisedFlag]
  {
    try Row.fetchAll(
      database,
      sql: "SELECT id, at, kind, summary, evidence FROM flag WHERE session = ? AND id > ? ORDER BY id DESC LIMIT ?",
      arguments: [session, Int64(bitPattern: number), limit]
    ).reversed().compactMap { row in
      guard let kind = FlagKind(rawValue: row[2]) else { return nil }
      let flag = ReviewFlag(
        id: UInt64(bitPattern: row[0]), kind: kind, summary: row[3], evidence: try evidence(row[4]))
      return RaisedFlag(session: session, time: Timestamp(nanoseconds: row[1]), flag: flag)
    }
  }

  /// The overlay that a flag says the session ran into.
  private static func overlay(_ evidence: [FlagEvidence]) -> Int64? {
    for item in evidence where item.name == "overlay" {
      if case .count(let number) = item.value { return Int64(bitPattern: number) }
    }
    return nil
  }

  /// One figure or name as JSON: in order, which an object's members would not keep.
  private struct Figure: Codable {
    var name: String
    var count: UInt64?
    var text: String?
  }

  private static func text(_ evidence: [FlagEvidence]) throws -> String {
    let figures: [Figure] = evidence.compactMap { item in
      switch item.value {
      case .count(let count): Figure(name: item.name, count: count)
      case .text(let text): Figure(name: item.name, text: text)
      // Stands in the summaries of sessions alone.
      case .categories: nil
      }
    }
    return String(decoding: try JSONEncoder().encode(figures), as: UTF8.self)
  }

  private static func evidence(_ text: String) throws -> [FlagEvidence] {
    try JSONDecoder().decode([Figure].self, from: Data(text.utf8)).map { figure in
      if let count = figure.count { return FlagEvidence(figure.name, Int(clamping: count)) }
      return FlagEvidence(figure.name, figure.text ?? "")
    }
  }
}
