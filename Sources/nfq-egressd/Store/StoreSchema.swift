import GRDB

/// The tables and how they came to be: one migration a change, never edited once released.
enum StoreSchema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 sessions and destinations") { database in
      try database.create(table: "session") { table in
        table.primaryKey("id", .text)
        table.column("agentType", .text).notNull()
        table.column("attribution", .text).notNull()
        table.column("started", .integer).notNull()
        table.column("lastSeen", .integer).notNull()
        table.column("warned", .boolean).notNull()
        table.column("reached", .boolean).notNull()
        table.column("overflow", .integer).notNull()
        table.column("ended", .integer)
        table.column("extendedBy", .integer).notNull()
        table.column("flows", .integer).notNull()
        table.column("bytesOut", .integer).notNull()
        table.column("bytesIn", .integer).notNull()
        table.column("refused", .integer).notNull()
        table.column("flags", .integer).notNull()
      }
      try database.create(table: "destination", options: .withoutRowID) { table in
        table.column("session", .text).notNull()
        table.column("key", .text).notNull()
        table.column("firstSeen", .integer).notNull()
        table.column("lastSeen", .integer).notNull()
        table.column("contacts", .integer).notNull()
        table.column("evidence", .text).notNull()
        table.primaryKey(["session", "key"])
      }
      // One row: when the daemon was last known to run, and whether it stopped in order.
      try database.create(table: "daemon") { table in
        table.primaryKey("id", .integer).check { $0 == 1 }
        table.column("alive", .integer).notNull()
        table.column("stopped", .boolean).notNull()
      }
      // Times in which nobody counted: what sessions did then is not in their budgets.
      try database.create(table: "unobserved") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("start", .integer).notNull()
        table.column("end", .integer).notNull()
        table.column("reason", .text).notNull()
      }
    }
    // What orchestrators registered, one a line: without it a restart would charge a session's traffic to nobody.
    migrator.registerMigration("2 registrations") { database in
      try database.alter(table: "session") { table in
        table.add(column: "sources", .text).notNull().defaults(to: "")
        table.add(column: "cgroups", .text).notNull().defaults(to: "")
      }
    }
    // Reviewers' decisions, and for good who made and ended them.
    migrator.registerMigration("3 overlays") { database in
      try database.create(table: "overlay") { table in
        table.primaryKey("id", .integer)
        table.column("kind", .text).notNull()
        table.column("subject", .text).notNull()
        table.column("scope", .text).notNull()
        table.column("destinations", .integer)
        table.column("uploadBytes", .integer)
        table.column("window", .text)
        table.column("onReach", .text)
        table.column("who", .text).notNull()
        table.column("peer", .text).notNull()
        table.column("why", .text).notNull()
        table.column("made", .integer).notNull()
        table.column("expires", .integer)
      }
      try database.create(table: "overlayAudit") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("at", .integer).notNull()
        table.column("action", .text).notNull()
        table.column("overlay", .integer).notNull().indexed()
        table.column("kind", .text).notNull()
        table.column("subject", .text).notNull()
        table.column("scope", .text).notNull()
        table.column("who", .text).notNull()
        table.column("peer", .text).notNull()
        table.column("why", .text).notNull()
      }
      try addOnly("overlayAudit", "the record of overlays", database)
    }
    // Budgets of single sessions; and sessions are looked up by their end, to load those that live and forget the rest.
    migrator.registerMigration("4 budgets of sessions") { database in
      try database.alter(table: "session") { table in
        table.add(column: "budgetDestinations", .integer)
        table.add(column: "budgetUploadBytes", .integer)
        table.add(column: "budgetWindow", .text)
        table.add(column: "budgetOnReach", .text)
      }
      try database.create(index: "sessionByEnd", on: "session", columns: ["ended"])
    }
    // What was flagged, for review.
    migrator.registerMigration("5 flags") { database in
      try database.create(table: "flag") { table in
        table.primaryKey("id", .integer)
        table.column("session", .text).notNull().indexed()
        table.column("at", .integer).notNull()
        table.column("kind", .text).notNull()
        table.column("summary", .text).notNull()
        table.column("evidence", .text).notNull()
      }
    }
    // Contacts by category and the evidence in them: a restart must not give a session a new mix.
    migrator.registerMigration("6 mixes of sessions") { database in
      try database.alter(table: "session") { table in table.add(column: "mix", .blob) }
    }
    // Sessions that reviewers found benign, for good with who and why: what baselines are learned from.
    migrator.registerMigration("7 benign mixes") { database in
      try database.create(table: "benignMix") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("session", .text).notNull()
        table.column("started", .integer).notNull()
        table.column("agentType", .text).notNull()
        table.column("at", .integer).notNull()
        table.column("who", .text).notNull()
        table.column("peer", .text).notNull()
        table.column("why", .text).notNull()
        // A JSON object: contacts by category name. None where a verdict is withdrawn.
        table.column("contacts", .text).notNull()
      }
      try addOnly("benignMix", "the record of benign sessions", database)
    }
    // What reviewers did about flagged sessions. Flags say which overlay they are about; the index serves the queue alone.
    migrator.registerMigration("8 reviews") { database in
      try database.alter(table: "flag") { table in table.add(column: "overlay", .integer) }
      try database.create(index: "flagByReview", on: "flag", columns: ["session", "kind", "overlay", "at"])
      try database.create(table: "reviewAudit") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("session", .text).notNull()
        table.column("number", .integer).notNull()
        table.column("at", .integer).notNull()
        table.column("action", .text).notNull()
        table.column("disposition", .text)
        table.column("flag", .integer).notNull()
        table.column("matter", .text).notNull()
        table.column("overlay", .integer)
        table.column("expires", .integer)
        table.column("who", .text).notNull()
        table.column("peer", .text).notNull()
        table.column("why", .text).notNull()
      }
      try database.create(index: "reviewAuditBySession", on: "reviewAudit", columns: ["session", "number"])
      try addOnly("reviewAudit", "the record of reviews", database)
    }
    return migrator
  }

  /// Has the database itself refuse to change or delete a table's rows.
  private static func addOnly(_ table: String, _ what: String, _ database: Database) throws {
    for change in ["UPDATE", "DELETE"] {
      try database.execute(
        sql: """
          CREATE TRIGGER \(table)No\(change) BEFORE \(change) ON \(table)
          BEGIN SELECT RAISE(ABORT, '\(what) is only added to'); END
          """)
    }
  }
}

/// A time in which the daemon did not run.
struct UnobservedInterval: Sendable, Hashable {
  /// Why it did not.
  enum Reason: String, Sendable {
    /// It stopped in order.
    case stopped
    /// It ended without saying so.
    case crashed
  }

  /// Nanoseconds since the epoch.
  var start: Int64
  /// Nanoseconds since the epoch.
  var end: Int64
  var reason: Reason
}
