import PacketInspect

/// One entry of a list.
struct ListEntry: Sendable, Equatable {
  /// Line of the file, from 1; for a built-in list the number of the entry.
  var line: Int
  var target: DenyTarget
}

/// A line that could not be used.
struct BadLine: Sendable, Equatable, CustomStringConvertible {
  var line: Int
  var reason: String

  /// `line N: why`.
  var description: String { "line \(line): \(reason)" }
}

/// What became of a list.
struct ListReport: Sendable, Equatable {
  /// Enough bad lines to see what is wrong.
  static let maximumSamples = 5
  /// Up to this many bad lines are mistakes of an otherwise good list.
  static let toleratedBadLines = 20
  /// Above this share the file is something else than it claims, an error page perhaps.
  static let toleratedBadPercent = 10

  /// Lines read, comments and blank ones included.
  var lines = 0
  /// Entries given out.
  var entries = 0
  /// Lines that say something but could not be used.
  var badLines = 0
  /// The first bad lines.
  var samples: [BadLine] = []
  /// Lines with at least one entry.
  var goodLines = 0

  /// Why the list must not be used, nil when it may.
  var refusal: String? {
    guard badLines > 0 else { return nil }
    let first = samples.first.map { "; first \($0)" } ?? ""
    if goodLines == 0 { return "none of its \(badLines) lines is usable\(first)" }
    let share = badLines * 100 > (badLines + goodLines) * Self.toleratedBadPercent
    guard share, badLines > Self.toleratedBadLines else { return nil }
    return "\(badLines) of \(badLines + goodLines) lines are not usable\(first)"
  }

  mutating func note(_ line: Int, _ reason: String) {
    badLines += 1
    if samples.count < Self.maximumSamples { samples.append(BadLine(line: line, reason: reason)) }
  }
}

/// Cuts a list into lines as its bytes arrive and gives out the entries: no list is ever in memory as a whole.
struct ListParser {
  /// No line of a real list comes near; a longer one is skipped without being stored.
  static let maximumLineLength = 4096

  private let reader: ListLineReader
  private(set) var report = ListReport()
  /// The beginning of a line whose end has not arrived.
  private var pending: [UInt8] = []
  private var overlong = false

  init(format: ListFormat, suffixes: PublicSuffixes) {
    reader = ListLineReader(format: format, suffixes: suffixes)
  }

  /// Takes the next bytes of the file.
  mutating func feed(_ chunk: RawSpan, emit: (ListEntry) -> Void) {
    var start = 0
    for index in 0..<chunk.byteCount where chunk.byte(at: index) == 0x0a {
      endLine(chunk.extracting(start..<index), emit)
      start = index + 1
    }
    keep(chunk.extracting(droppingFirst: start))
  }

  /// Takes the end of the file.
  mutating func finish(emit: (ListEntry) -> Void) -> ListReport {
    if overlong || !pending.isEmpty { endLine([UInt8]().rawSpan, emit) }
    return report
  }

  private mutating func keep(_ rest: RawSpan) {
    guard !overlong else { return }
    guard pending.count + rest.byteCount <= Self.maximumLineLength else {
      overlong = true
      pending.removeAll()
      return
    }
    for index in 0..<rest.byteCount { pending.append(rest.byte(at: index)) }
  }

  private mutating func endLine(_ rest: RawSpan, _ emit: (ListEntry) -> Void) {
    report.lines += 1
    if pending.isEmpty, !overlong, rest.byteCount <= Self.maximumLineLength {
      reader.read(rest, line: report.lines, report: &report, emit: emit)
      return
    }
    keep(rest)
    if overlong {
      report.note(report.lines, "longer than \(Self.maximumLineLength) bytes")
    } else {
      let whole = pending
      reader.read(whole.rawSpan, line: report.lines, report: &report, emit: emit)
    }
    overlong = false
    pending.removeAll(keepingCapacity: true)
  }
}
