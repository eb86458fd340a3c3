import GRDB
import PacketInspect

extension SessionStore {
  /// The overlays in force, and the first number that none has had.
  func loadOverlays() throws(Failure) -> OverlayBook {
    do {
      return try pool.read { database in
        let overlays = try Row.fetchAll(database, sql: "SELECT * FROM overlay").compactMap { Self.overlay($0) }
        let last = try Int64.fetchOne(database, sql: "SELECT MAX(overlay) FROM overlayAudit") ?? 0
        return OverlayBook(overlays, firstID: UInt64(max(0, last)) + 1)
      }
    } catch {
      throw Failure(error)
    }
  }

  /// Writes changes and their record in one transaction.
  static func write(_ changes: [OverlayChange], into database: Database) throws {
    guard !changes.isEmpty else { return }
    let put = try database.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO overlay (id, kind, subject, scope, destinations, uploadBytes, window, onReach, who, peer,
          why, made, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    let remove = try database.cachedStatement(sql: "DELETE FROM overlay WHERE id = ?")
    let audit = try database.cachedStatement(
      sql: """
        INSERT INTO overlayAudit (at, action, overlay, kind, subject, scope, who, peer, why)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    for change in changes {
      let overlay = change.overlay
      let id = Int64(bitPattern: overlay.id)
      switch change.action {
      case .added:
        try put.execute(arguments: [
          id, overlay.kind.rawValue, overlay.subject, overlay.scope.text, overlay.budget?.destinations,
          overlay.budget?.uploadBytes.map { Int64(bitPattern: $0) }, overlay.budget?.window?.rawValue,
          overlay.budget?.onReach?.rawValue, overlay.who, overlay.peer, overlay.why, overlay.made.nanoseconds,
          overlay.expires?.nanoseconds,
        ])
      case .removed, .expired: try remove.execute(arguments: [id])
      case .released: break
      case .benign, .withdrawn:
        // A row of its own is its record.
        if let mix = change.mix { try write(mix, change, into: database) }
        continue
      case .acknowledged, .resolved:
        if let review = change.review { try write(review, into: database) }
        continue
      }
      try audit.execute(arguments: [
        change.at.nanoseconds, change.action.rawValue, id, change.kind, overlay.matter,
        overlay.scope.text, change.author.name, change.author.peer, change.author.why,
      ])
    }
  }

  /// Nil for a kind of a later release: it stays in the store and does nothing.
  private static func overlay(_ row: Row) -> Overlay? {
    guard let kind = OverlayKind(rawValue: row["kind"]), let scope = OverlayScope(row["scope"] as String) else {
      return nil
    }
    let expires: Int64? = row["expires"]
    return Overlay(
      id: UInt64(bitPattern: row["id"]), kind: kind, subject: row["subject"],
      budget: budget(row, "destinations", "uploadBytes", "window", "onReach"), scope: scope, who: row["who"],
      peer: row["peer"], why: row["why"], made: Timestamp(nanoseconds: row["made"]),
      expires: expires.map { Timestamp(nanoseconds: $0) })
  }

  /// A budget from its columns; nil when none is set.
  static func budget(
    _ row: Row, _ destinations: String, _ uploadBytes: String, _ window: String, _ onReach: String
  ) -> BudgetOverride? {
    let bytes: Int64? = row[uploadBytes]
    let word: String? = row[window]
    let reach: String? = row[onReach]
    let budget = BudgetOverride(
      destinations: row[destinations], uploadBytes: bytes.map { UInt64(bitPattern: $0) },
      window: word.flatMap { BudgetWindow(rawValue: $0) }, onReach: reach.flatMap { BudgetReach(rawValue: $0) })
    return budget.isEmpty ? nil : budget
  }
}
