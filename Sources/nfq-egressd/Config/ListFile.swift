import PacketInspect

/// Reads lists.
enum ListFile {
  /// Several times what lists of five million names take.
  static let maximumSize = 512 << 20
  /// What a reading ends with that was told to.
  static let stopped = FileError(description: "was not read to its end: the program is ending")

  /// Gives out the entries of `source` in their order. Throws when the file cannot be read or must be refused, which
  /// shows only at its end: the caller throws away what it was given.
  static func load(
    _ source: DenyListSource, suffixes: PublicSuffixes, watch: ListWatch = ListWatch(),
    emit: (ListEntry) -> Void = { _ in }
  ) throws(FileError) -> LoadedList {
    switch source.origin {
    case .builtin(let list):
      let targets = list.targets
      for (index, target) in targets.enumerated() { emit(ListEntry(line: index + 1, target: target)) }
      let report = ListReport(lines: targets.count, entries: targets.count, goodLines: targets.count)
      return LoadedList(source: source, report: report)
    case .file(let path, let format):
      let (report, facts) = try read(path, format, suffixes: suffixes, of: source.name, watch: watch, emit: emit)
      return LoadedList(source: source, report: report, modified: facts.modified)
    }
  }

  /// Gives out the entries of a file, as `load` does. `each` gets every piece of it, after its entries were given out.
  static func read(
    _ path: String, _ format: ListFormat, suffixes: PublicSuffixes, of list: String, watch: ListWatch = ListWatch(),
    each: (RawSpan) throws(FileError) -> Void = { _ in }, emit: (ListEntry) -> Void
  ) throws(FileError) -> (report: ListReport, facts: FileBytes.Facts) {
    var parser = ListParser(format: format, suffixes: suffixes)
    let size = max(1, try FileBytes.look(path).size)
    var pace = ListPace(watch, list)
    var done = 0
    let facts = try FileBytes.read(path, limit: maximumSize) { piece throws(FileError) in
      parser.feed(piece, emit: emit)
      try each(piece)
      done += piece.byteCount
      guard pace.note(.reading, parser.report.lines, min(100, done * 100 / size)) else { throw stopped }
    }
    let report = parser.finish(emit: emit)
    if let refusal = report.refusal { throw FileError(description: "\(refusal); mend the list or its format") }
    return (report, facts)
  }
}
