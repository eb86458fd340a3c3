import PacketInspect

/// A list that was read: where from, what became of it, how old it is.
struct LoadedList: Sendable, Equatable {
  var source: DenyListSource
  var report: ListReport
  /// When the file was last modified; nil for a built-in list.
  var modified: Timestamp?
}

/// Reads lists.
enum ListFile {
  /// Several times what lists of five million names take.
  static let maximumSize = 512 << 20

  /// Gives out the entries of `source` in their order. Throws when the file cannot be read or must be refused, which
  /// shows only at its end: the caller throws away what it was given.
  static func load(
    _ source: DenyListSource, suffixes: PublicSuffixes, emit: (ListEntry) -> Void
  ) throws(FileError) -> LoadedList {
    switch source.origin {
    case .builtin(let list):
      let targets = list.targets
      for (index, target) in targets.enumerated() { emit(ListEntry(line: index + 1, target: target)) }
      let report = ListReport(lines: targets.count, entries: targets.count, goodLines: targets.count)
      return LoadedList(source: source, report: report)
    case .file(let path, let format):
      let (report, modified) = try read(path, format, suffixes: suffixes, emit: emit)
      return LoadedList(source: source, report: report, modified: modified)
    }
  }

  /// Gives out the entries of a file, as `load` does.
  static func read(
    _ path: String, _ format: ListFormat, suffixes: PublicSuffixes, emit: (ListEntry) -> Void
  ) throws(FileError) -> (report: ListReport, modified: Timestamp?) {
    var parser = ListParser(format: format, suffixes: suffixes)
    let facts = try FileBytes.read(path, limit: maximumSize) { parser.feed($0, emit: emit) }
    let report = parser.finish(emit: emit)
    if let refusal = report.refusal { throw FileError(description: "\(refusal); mend the list or its format") }
    return (report, facts.modified)
  }
}
