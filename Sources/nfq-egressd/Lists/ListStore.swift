import Glibc
import PacketInspect

/// A list that was read: where from, what became of it, how old it is.
struct LoadedList: Sendable {
  var source: DenyListSource
  var report: ListReport
  /// When the file was last modified; nil for a built-in list.
  var modified: Timestamp?
  /// Its entries; nil when the list was only looked through.
  var entries: ListSnapshot?
  /// False when a snapshot that was there was as good.
  var wasCompiled = true
}

/// Makes snapshots of lists, and keeps them in files so that a list is only read again when it has changed.
struct ListStore {
  /// Raised when the same line would become another entry.
  private static let readerVersion = 1
  /// Files that are younger than this may still change without their time telling, in nanoseconds.
  private static let settledAge: Int64 = 2_000_000_000

  let suffixes: PublicSuffixes
  /// Where the snapshots are; nil to keep them in memory.
  var directory: String?
  var watch = ListWatch()
  /// When snapshots are made.
  var making = Making.whenChanged

  enum Making: Sendable {
    /// Never: what there is no snapshot of is read into memory.
    case never
    /// When a list has changed since.
    case whenChanged
    /// Whatever is there.
    case always
  }

  /// The directory of a configuration's snapshots: `lists` beside the store.
  static func directory(of configuration: Configuration) -> String? {
    guard let store = configuration.store.path, let slash = store.lastIndex(of: "/") else { return nil }
    return "\(store[..<slash])/lists"
  }

  /// The lists of a configuration for a command that leaves everything as it is.
  static func asFound(_ configuration: Configuration, _ suffixes: PublicSuffixes) -> ListStore {
    ListStore(suffixes: suffixes, directory: directory(of: configuration), making: .never)
  }

  /// The file of a list's snapshot.
  func path(of list: String) -> String? { directory.map { "\($0)/\(list).snapshot" } }

  /// A list with its entries. Throws when the file cannot be read or must be refused.
  func load(_ source: DenyListSource) throws(FileError) -> LoadedList {
    guard case .file(let path, let format) = source.origin, let kept = self.path(of: source.name) else {
      return try inMemory(source)
    }
    if making != .always, let list = try fresh(source, path, format, kept) { return list }
    if making == .never { return try inMemory(source) }
    let file: SnapshotFile
    do throws(FileError) {
      file = try SnapshotFile(kept)
    } catch {
      watch.warn("list \(quoted(source.name)) is kept in memory: \(error.description)")
      return try inMemory(source)
    }
    return try compile(source, path, format, kept, into: file)
  }

  /// The snapshot that is there, if nothing has changed since it was made.
  private func fresh(
    _ source: DenyListSource, _ path: String, _ format: ListFormat, _ kept: String
  ) throws(FileError) -> LoadedList? {
    guard let snapshot = MappedSnapshot.open(kept, complain: watch.warn), let report = ListReport(note: snapshot.note),
      snapshot.source.reading == reading(format)
    else { return nil }
    let facts = try FileBytes.look(path)
    guard UInt64(facts.size) == snapshot.source.size else { return nil }
    if facts.modified.nanoseconds != snapshot.source.modified {
      var sum = SnapshotChecksum()
      _ = try FileBytes.read(path, limit: ListFile.maximumSize) { sum.add($0) }
      guard sum.value == snapshot.source.checksum else { return nil }
    }
    return LoadedList(
      source: source, report: report, modified: facts.modified, entries: snapshot, wasCompiled: false)
  }

  private func inMemory(_ source: DenyListSource) throws(FileError) -> LoadedList {
    var writer = ListSnapshotWriter(key: Self.newKey())
    var isFull = false
    var list = try ListFile.load(source, suffixes: suffixes, watch: watch) { entry in
      if !add(entry, to: &writer) { isFull = true }
    }
    guard !isFull else { throw Self.tooMany }
    let mark = SnapshotSource(size: 0, modified: 0, checksum: 0, reading: 0)
    do throws(SnapshotError) {
      list.entries = try ListSnapshot(SnapshotArray(writer.array(note: [], source: mark)))
    } catch {
      throw FileError(description: "cannot be used: the snapshot \(error.rawValue)")
    }
    return list
  }

  private func compile(
    _ source: DenyListSource, _ path: String, _ format: ListFormat, _ kept: String, into file: SnapshotFile
  ) throws(FileError) -> LoadedList {
    var writer = ListSnapshotWriter(key: Self.newKey())
    let started = WallClock.now()
    try file.append([UInt8](repeating: 0, count: ListSnapshotWriter.recordsStart).rawSpan)
    var sum = SnapshotChecksum()
    var isFull = false
    let (report, facts) = try ListFile.read(
      path, format, suffixes: suffixes, of: source.name, watch: watch,
      each: { piece throws(FileError) in
        sum.add(piece)
        if isFull { throw Self.tooMany }
        try writer.takeRecords { records throws(FileError) in try file.append(records) }
      },
      emit: { entry in if !add(entry, to: &writer) { isFull = true } })
    guard !isFull else { throw Self.tooMany }
    let size = writer.layOut(note: report.note)
    try writer.takeRecords { records throws(FileError) in try file.append(records) }
    try file.map(size: size)
    let isSettled = started.since(facts.modified) > Self.settledAge
    let mark = SnapshotSource(
      size: UInt64(facts.size), modified: isSettled ? facts.modified.nanoseconds : 0, checksum: sum.value,
      reading: reading(format))
    let total = max(1, writer.domains)
    var pace = ListPace(watch, source.name)
    guard writer.fill(file, source: mark, progress: { pace.note(.indexing, $0, $0 * 100 / total) }) else {
      throw ListFile.stopped
    }
    ListSnapshotWriter.seal(file)
    try file.replace()
    guard let snapshot = MappedSnapshot.open(kept, complain: watch.warn) else {
      throw FileError(description: "cannot be used: its snapshot \(kept) cannot be read back")
    }
    return LoadedList(source: source, report: report, modified: facts.modified, entries: snapshot)
  }

  private func add(_ entry: ListEntry, to writer: inout ListSnapshotWriter) -> Bool {
    switch entry.target {
    case .name(let name): writer.add(name, line: entry.line)
    case .network(let network): writer.add(network, line: entry.line)
    }
  }

  private static let tooMany = FileError(
    description: """
      has more than \(ListSnapshotWriter.maximumDomains) names or \(ListSnapshotWriter.maximumNetworks) networks; \
      cut it in two
      """)

  /// Whatever decides what becomes of a line, beside the line.
  private func reading(_ format: ListFormat) -> UInt64 {
    var sum = SnapshotChecksum()
    let text = "\(Self.readerVersion) \(format.rawValue) \(suffixes.madeAt) \(suffixes.libraryVersion)"
    sum.add(Array(text.utf8).rawSpan)
    return sum.value
  }

  private static func newKey() -> (UInt64, UInt64) {
    var random = SystemRandomNumberGenerator()
    return (random.next(), random.next())
  }
}

/// Says how far a list is, not too often, and asks whether to go on.
struct ListPace {
  private let watch: ListWatch
  private let list: String
  private var last = WallClock.now()

  init(_ watch: ListWatch, _ list: String) {
    self.watch = watch
    self.list = list
  }

  /// False when the reading shall end.
  mutating func note(_ stage: ListProgress.Stage, _ done: Int, _ percent: Int) -> Bool {
    guard !watch.isStopped() else { return false }
    let now = WallClock.now()
    // The clock may step back: then there is a word at once.
    if now.since(last).magnitude >= UInt64(ListWatch.interval) {
      last = now
      watch.tell(ListProgress(list: list, stage: stage, done: done, percent: percent))
    }
    return true
  }
}
