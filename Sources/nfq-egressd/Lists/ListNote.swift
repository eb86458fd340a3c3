import PacketInspect

/// What became of a list's lines, kept in its snapshot, so that the same is said of a list that is not read again.
extension ListReport {
  /// The report as bytes: numbers of eight bytes, then the samples as line, length and text.
  var note: [UInt8] {
    var bytes: [UInt8] = []
    func put(_ number: Int) {
      for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    for number in [lines, entries, goodLines, badLines, samples.count] { put(number) }
    for sample in samples {
      put(sample.line)
      put(sample.reason.utf8.count)
      bytes += sample.reason.utf8
    }
    return bytes
  }

  /// The report that a note holds; nil when it holds none.
  init?(note: [UInt8]) {
    var reader = PacketReader(note.rawSpan)
    do throws(ParseError) {
      lines = try Self.number(&reader)
      entries = try Self.number(&reader)
      goodLines = try Self.number(&reader)
      badLines = try Self.number(&reader)
      for _ in 0..<min(try Self.number(&reader), Self.maximumSamples) {
        let line = try Self.number(&reader)
        let text = try reader.span(try Self.number(&reader))
        samples.append(BadLine(line: line, reason: String(decoding: text.array(), as: UTF8.self)))
      }
    } catch {
      return nil
    }
  }

  private static func number(_ reader: inout PacketReader) throws(ParseError) -> Int {
    guard let number = Int(exactly: try reader.u64()) else { throw .badLength }
    return number
  }
}
