import FoundationEssentials
import GRDB
import Glibc
import PacketInspect

/// Sessions and destinations on disk: SQLite in WAL mode, one writer.
struct SessionStore {
  /// How long a write waits for another process's lock, in seconds. The writer's thread waits, nobody else.
  private static let lockPatience = 2.0

  let pool: DatabasePool

  typealias Failure = StoreFailure

  /// Opens or makes the database at `path`, and brings it to the present schema.
  /// With `isStrict` what was written survives a loss of power too, not only the end of this process.
  init(path: String, isStrict: Bool = false) throws(Failure) {
    do {
      var configuration = GRDB.Configuration()
      if isStrict { configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") } }
      configuration.busyMode = .timeout(Self.lockPatience)
      pool = try DatabasePool(path: path, configuration: configuration)
      try StoreSchema.migrator.migrate(pool)
      // A damaged page may lie anywhere; better found now than under a review.
      let verdict = try pool.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
      if verdict != "ok" { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
    } catch {
      throw Failure(error)
    }
  }

  /// Moves a damaged database out of the way, never deletes it. Returns its new name.
  static func setAside(path: String, at now: Timestamp) -> String? {
    let aside = "\(path).corrupt-\(now.nanoseconds / 1_000_000_000)"
    guard unsafe rename(path, aside) == 0 else { return nil }
    for suffix in ["-wal", "-shm"] { _ = unsafe rename(path + suffix, aside + suffix) }
    return aside
  }

  /// The sessions that live, with their destinations.
  func load() throws(Failure) -> [StoredSession] {
    do {
      return try pool.read { database in
        var destinations: [String: [DestinationKey: DestinationRecord]] = [:]
        let rows = try Row.fetchCursor(
          database,
          sql: """
            SELECT session, key, firstSeen, destination.lastSeen, contacts, evidence
            FROM session CROSS JOIN destination ON destination.session = session.id WHERE session.ended IS NULL
            """)
        while let row = try rows.next() {
          guard let key = DestinationKey(stored: row[1]), let evidence = Evidence(rawValue: row[5]) else { continue }
          destinations[row[0], default: [:]][key] = DestinationRecord(
            firstSeen: Timestamp(nanoseconds: row[2]), lastSeen: Timestamp(nanoseconds: row[3]), contacts: row[4],
            evidence: evidence)
        }
        return try Row.fetchAll(database, sql: "SELECT * FROM session WHERE ended IS NULL").compactMap { row in
          guard let attribution = Attribution(rawValue: row["attribution"]) else { return nil }
          var figures = SessionFigures()
          figures.flows = UInt64(bitPattern: row["flows"])
          figures.bytesOut = UInt64(bitPattern: row["bytesOut"])
          figures.bytesIn = UInt64(bitPattern: row["bytesIn"])
          figures.refused = UInt64(bitPattern: row["refused"])
          figures.flags = UInt64(bitPattern: row["flags"])
          let state = SessionState(
            id: row["id"], agentType: row["agentType"], attribution: attribution,
            started: Timestamp(nanoseconds: row["started"]), lastSeen: Timestamp(nanoseconds: row["lastSeen"]),
            warned: row["warned"], reached: row["reached"],
            overflow: UInt64(bitPattern: row["overflow"]), extendedBy: row["extendedBy"], figures: figures,
            sources: Self.lines(row["sources"]).compactMap { IPNetwork($0) }, cgroups: Self.lines(row["cgroups"]),
            budget: Self.budget(row, "budgetDestinations", "budgetUploadBytes", "budgetWindow", "budgetOnReach"),
            mix: (row["mix"] as Data?).map { Array($0) } ?? [])
          return StoredSession(state: state, destinations: destinations[state.id] ?? [:])
        }
      }
    } catch {
      throw Failure(error)
    }
  }

  /// Writes all of `pending` and `overlays` in one transaction, and that the daemon runs.
  func write(_ pending: PendingState, _ overlays: [OverlayChange] = [], at now: Timestamp) throws(Failure) {
    do {
      try pool.write { database in
        try Self.upsert(pending, into: database)
        try Self.insert(pending.flags, into: database)
        try Self.write(overlays, into: database)
        try Self.noteAlive(database, at: now, stopped: false)
      }
    } catch {
      throw Failure(error)
    }
  }

  /// Notes that the daemon starts; returns the time since it last ran, if it did, and keeps it.
  func noteStart(at now: Timestamp) throws(Failure) -> UnobservedInterval? {
    do {
      return try pool.write { database in
        let row = try Row.fetchOne(database, sql: "SELECT alive, stopped FROM daemon")
        try Self.noteAlive(database, at: now, stopped: false)
        guard let row else { return nil }
        let interval = UnobservedInterval(
          start: row["alive"], end: now.nanoseconds, reason: row["stopped"] ? .stopped : .crashed)
        try database.execute(
          sql: "INSERT INTO unobserved (start, end, reason) VALUES (?, ?, ?)",
          arguments: [interval.start, interval.end, interval.reason.rawValue])
        return interval
      }
    } catch {
      throw Failure(error)
    }
  }

  /// Notes that the daemon stops in order.
  func noteStop(at now: Timestamp) throws(Failure) {
    do {
      try pool.write { try Self.noteAlive($0, at: now, stopped: true) }
    } catch {
      throw Failure(error)
    }
  }

  /// Neither addresses nor paths of control groups hold a newline.
  private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

  private static func noteAlive(_ database: Database, at now: Timestamp, stopped: Bool) throws {
    try database.execute(
      sql:
        "INSERT INTO daemon (id, alive, stopped) VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET alive = ?1, stopped = ?2",
      arguments: [now.nanoseconds, stopped])
  }

  private static func upsert(_ pending: PendingState, into database: Database) throws {
    let begin = try database.cachedStatement(
      sql: "DELETE FROM destination WHERE session = ?1 AND (SELECT started FROM session WHERE id = ?1) < ?2")
    let session = try database.cachedStatement(
      sql: """
        INSERT INTO session (id, agentType, attribution, started, lastSeen, warned, reached, overflow, ended,
          extendedBy, flows, bytesOut, bytesIn, refused, flags, sources, cgroups,
          budgetDestinations, budgetUploadBytes, budgetWindow, budgetOnReach, mix)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET agentType = excluded.agentType, attribution = excluded.attribution,
          started = excluded.started, lastSeen = excluded.lastSeen, warned = excluded.warned,
          reached = excluded.reached, overflow = excluded.overflow, ended = excluded.ended,
          extendedBy = excluded.extendedBy, flows = excluded.flows, bytesOut = excluded.bytesOut,
          bytesIn = excluded.bytesIn, refused = excluded.refused, flags = excluded.flags,
          sources = excluded.sources, cgroups = excluded.cgroups, budgetDestinations = excluded.budgetDestinations,
          budgetUploadBytes = excluded.budgetUploadBytes, budgetWindow = excluded.budgetWindow,
          budgetOnReach = excluded.budgetOnReach, mix = excluded.mix
        """)
    for state in pending.sessions.values {
      // A session that begins anew under an id that was used before does not inherit what the former one did.
      try begin.execute(arguments: [state.id, state.started.nanoseconds])
      try session.execute(arguments: [
        state.id, state.agentType, state.attribution.rawValue, state.started.nanoseconds, state.lastSeen.nanoseconds,
        state.warned, state.reached, Int64(bitPattern: state.overflow), state.ended?.nanoseconds,
        state.extendedBy, Int64(bitPattern: state.figures.flows), Int64(bitPattern: state.figures.bytesOut),
        Int64(bitPattern: state.figures.bytesIn), Int64(bitPattern: state.figures.refused),
        Int64(bitPattern: state.figures.flags), state.sources.map(\.description).joined(separator: "\n"),
        state.cgroups.joined(separator: "\n"), state.budget?.destinations,
        state.budget?.uploadBytes.map { Int64(bitPattern: $0) }, state.budget?.window?.rawValue,
        state.budget?.onReach?.rawValue, state.mix.isEmpty ? nil : Data(state.mix),
      ])
    }
    let put = try database.cachedStatement(
      sql: """
        INSERT INTO destination (session, key, firstSeen, lastSeen, contacts, evidence) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (session, key) DO UPDATE SET lastSeen = excluded.lastSeen, contacts = excluded.contacts
        """)
    let remove = try database.cachedStatement(sql: "DELETE FROM destination WHERE session = ? AND key = ?")
    for (place, record) in pending.destinations {
      guard let record else {
        try remove.execute(arguments: [place.session, place.key.stored])
        continue
      }
      try put.execute(arguments: [
        place.session, place.key.stored, record.firstSeen.nanoseconds, record.lastSeen.nanoseconds, record.contacts,
        record.evidence.rawValue,
      ])
    }
  }
}

extension StoreFailure {
  /// What the database says.
  init(_ error: any Error) {
    guard let error = error as? DatabaseError else {
      self = .unavailable("\(error)")
      return
    }
    let text = error.message ?? "SQLite error \(error.resultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(text)
    default: self = .unavailable(text)
    }
  }
}
