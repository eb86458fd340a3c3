import GRDB
import PacketInspect

extension SessionStore {
  /// Rows removed in one transaction: some milliseconds on any disk.
  static let pruneBatch = 1_000

  /// Removes some of what sessions left that ended before `limit`. Returns the number of rows; less than a batch means
  /// that nothing is left to remove.
  func prune(endedBefore limit: Timestamp, batch: Int = pruneBatch) throws(Failure) -> Int {
    do {
      return try pool.write { database in
        var removed = 0
        let sessions = try String.fetchAll(
          database, sql: "SELECT id FROM session WHERE ended < ? ORDER BY ended LIMIT ?",
          arguments: [limit.nanoseconds, batch])
        for session in sessions where removed < batch {
          try database.execute(
            sql: """
              DELETE FROM destination WHERE session = ?1 AND key IN
                (SELECT key FROM destination WHERE session = ?1 LIMIT ?2)
              """, arguments: [session, batch - removed])
          removed += database.changesCount
          // With destinations left it is taken on in the next batch.
          guard removed < batch else { break }
          try database.execute(
            sql: "DELETE FROM flag WHERE id IN (SELECT id FROM flag WHERE session = ? LIMIT ?)",
            arguments: [session, batch - removed])
          removed += database.changesCount
          guard removed < batch else { break }
          try database.execute(sql: "DELETE FROM session WHERE id = ?", arguments: [session])
          removed += 1
        }
        return removed
      }
    } catch {
      throw Failure(error)
    }
  }
}
