import GRDB
import PacketInspect

/// The review of flagged sessions: items are made of the flags and the record, so neither can disagree with them.
extension SessionStore {
  static func write(_ record: ReviewRecord, into database: Database) throws {
    let step = record.step
    var disposition: String?
    if case .resolve(let word) = step.action { disposition = word.rawValue }
    try database.execute(
      sql: """
        INSERT INTO reviewAudit (session, number, at, action, disposition, flag, matter, overlay, expires, who, peer, why)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        record.session, Int64(bitPattern: step.number), step.at.nanoseconds, step.action.state.rawValue, disposition,
        Int64(bitPattern: step.flag), record.matter, step.overlay.map { Int64(bitPattern: $0) },
        step.expires?.nanoseconds, record.author.name, record.author.peer, record.author.why,
      ])
  }

  /// All flagged sessions, or the one of an id, in no order.
  static func reviewCases(of session: String? = nil, path: String) throws(Failure) -> [ReviewCase] {
    let arguments: StatementArguments = session.map { [$0] } ?? []
    return try read(path) { database in
      var tallies: [String: [ReviewTally]] = [:]
      let flags = try Row.fetchCursor(
        database,
        sql: """
          SELECT session, kind, overlay, COUNT(*), MAX(id), MIN(at), MAX(at) FROM flag
          \(session == nil ? "" : "WHERE session = ?") GROUP BY session, kind, overlay
          """, arguments: arguments)
      while let row = try flags.next() {
        guard let kind = FlagKind(rawValue: row[1]) else { continue }
        let overlay: Int64? = row[2]
        tallies[row[0], default: []].append(
          ReviewTally(
            kind: kind, overlay: overlay.map { UInt64(bitPattern: $0) }, count: row[3],
            latest: UInt64(bitPattern: row[4]), first: Timestamp(nanoseconds: row[5]),
            last: Timestamp(nanoseconds: row[6])))
      }
      let types = try Row.fetchAll(
        database, sql: "SELECT id, agentType FROM session \(session == nil ? "" : "WHERE id = ?")",
        arguments: arguments)
      let typeNames = Dictionary(types.map { ($0[0] as String, $0[1] as String) }) { first, _ in first }
      let scope = session == nil ? "IN (SELECT DISTINCT session FROM flag)" : "= ?"
      let rows = try Row.fetchAll(
        database, sql: "SELECT * FROM reviewAudit WHERE session \(scope)", arguments: arguments)
      let records = Dictionary(grouping: rows.compactMap { record($0) }, by: \.session)
      return tallies.map { id, tallies in
        ReviewCase(session: id, agentType: typeNames[id], tallies: tallies, records: records[id] ?? [])
      }
    }
  }

  /// Flags of a session that are later than the one of this number, oldest first; of very many the latest.
  static func flags(of session: String, after number: UInt64, limit: Int, path: String) throws(Failure) -> [RaisedFlag]
  {
    try read(path) { database in try flags(of: session, after: number, limit: limit, in: database) }
  }

  /// Nil for an action of a later release.
  private static func record(_ row: Row) -> ReviewRecord? {
    let action: ReviewAction
    switch ReviewState(rawValue: row["action"]) {
    case .acknowledged: action = .acknowledge
    case .resolved:
      guard let disposition = (row["disposition"] as String?).flatMap({ ReviewDisposition(rawValue: $0) }) else {
        return nil
      }
      action = .resolve(disposition)
    case .open, nil: return nil
    }
    let (expires, overlay): (Int64?, Int64?) = (row["expires"], row["overlay"])
    let step = ReviewStep(
      number: UInt64(bitPattern: row["number"]), action: action, flag: UInt64(bitPattern: row["flag"]),
      at: Timestamp(nanoseconds: row["at"]), expires: expires.map { Timestamp(nanoseconds: $0) },
      overlay: overlay.map { UInt64(bitPattern: $0) })
    return ReviewRecord(
      session: row["session"], step: step,
      author: OverlayAuthor(who: row["who"], peer: row["peer"], why: row["why"]), matter: row["matter"])
  }
}
