import CoreC
import Glibc
import PacketInspect
import TestSupport

/// Names and networks that nobody owns, the same at every run.
struct ListMaker {
  private static let suffixes = ["com", "net", "org", "info", "io", "co.uk", "xyz", "top", "ru", "example"]
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// A name of two or three labels, some 20 bytes, of which one in three has a host before its domain.
  mutating func name(into text: inout [UInt8]) {
    if random.next() % 3 == 0 { text += "w\(random.next() % 1_000).".utf8 }
    for _ in 0..<6 + Int(random.next() % 14) { text.append(UInt8(ascii: "a") + UInt8(random.next() % 26)) }
    text.append(UInt8(ascii: "."))
    text += Self.suffixes[Int(random.next() % UInt64(Self.suffixes.count))].utf8
  }

  /// A network of the lengths that lists have: half single addresses, the rest /24 and wider.
  mutating func network() -> (first: UInt32, prefixLength: Int) {
    let lengths = [32, 32, 32, 32, 24, 24, 24, 22, 20, 16]
    let length = lengths[Int(random.next() % UInt64(lengths.count))]
    // Unicast space.
    let address = 0x0100_0000 &+ UInt32(truncatingIfNeeded: random.next() % 0xdd00_0000)
    return (address & (.max << UInt32(32 - length)), length)
  }

  mutating func number() -> UInt64 { random.next() }

  private static func put(_ text: inout [UInt8]) {
    var start = 0
    while start < text.count {
      let count = unsafe text[start...].withUnsafeBytes { unsafe Glibc.write(1, $0.baseAddress, $0.count) }
      guard count > 0 else { fail("CoreBench: standard output is gone", 1) }
      start += count
    }
    text.removeAll(keepingCapacity: true)
  }

  /// Writes a list to standard output.
  static func write(_ kind: String, _ count: Int) {
    var maker = ListMaker(seed: 1)
    var text: [UInt8] = []
    for _ in 0..<count {
      if kind == "names" {
        maker.name(into: &text)
      } else {
        let (first, length) = maker.network()
        text += "\(IPAddress(v4: first))/\(length)".utf8
      }
      text.append(0x0a)
      guard text.count > 1 << 20 else { continue }
      put(&text)
    }
    put(&text)
  }
}

/// Texts one behind another, as C reads them.
private struct Texts {
  var bytes: [UInt8] = []
  var ends: [UInt32] = []

  mutating func add(_ text: ArraySlice<UInt8>) {
    bytes += text
    ends.append(UInt32(bytes.count))
  }

  subscript(number: Int) -> ArraySlice<UInt8> {
    bytes[(number == 0 ? 0 : Int(ends[number - 1]))..<Int(ends[number])]
  }
}

/// Lookups in lists, beside the same in C and in a set of strings.
struct ListBench {
  private static let asked = 200_000

  /// What went wrong before anything was measured.
  struct Disagreement: Error, CustomStringConvertible {
    var description: String
  }

  /// Lookups among `count` names; nanoseconds of CPU time a lookup.
  static func names(_ count: Int, repetitions: Int) throws(Disagreement) -> [Row] {
    var maker = ListMaker(seed: 1)
    var listed = Texts()
    var text: [UInt8] = []
    var writer = ListSnapshotWriter(key: (maker.number(), maker.number()))
    var records = [UInt8](repeating: 0, count: ListSnapshotWriter.recordsStart)
    for number in 0..<count {
      text.removeAll(keepingCapacity: true)
      maker.name(into: &text)
      listed.add(text[...])
      if let name = HostName(text.rawSpan) { _ = writer.add(name, line: number + 1) }
      if writer.pendingBytes > 1 << 16 { writer.takeRecords { records.append($0) } }
    }
    let list = try open(&writer, &records)
    var other = ListMaker(seed: 2)
    var rows: [Row] = []
    for isListed in [true, false] {
      var asked = Texts()
      for _ in 0..<Self.asked {
        text = Array("www.".utf8)
        if isListed {
          text += listed[Int(other.number() % UInt64(count))]
        } else {
          other.name(into: &text)
        }
        asked.add(text[...])
      }
      let name = "\(count) names, \(isListed ? "listed" : "not listed")"
      rows.append(try measureNames(name, listed, list, asked, repetitions))
      if count <= 1_000_000 { rows.append(measureSet(name, listed, asked, repetitions)) }
    }
    return rows
  }

  private static func open(
    _ writer: inout ListSnapshotWriter, _ records: inout [UInt8]
  ) throws(Disagreement) -> ListSnapshot {
    let size = writer.layOut(note: [])
    writer.takeRecords { records.append($0) }
    let target = SnapshotArrayTarget(records, size: size)
    records = []
    _ = writer.fill(target, source: SnapshotSource(size: 0, modified: 0, checksum: 0, reading: 0))
    ListSnapshotWriter.seal(target)
    do throws(SnapshotError) {
      return try ListSnapshot(SnapshotArray(target.array))
    } catch {
      throw Disagreement(description: "the snapshot \(error.rawValue)")
    }
  }

  private static func measureNames(
    _ name: String, _ listed: Texts, _ list: ListSnapshot, _ asked: Texts, _ repetitions: Int
  ) throws(Disagreement) -> Row {
    guard let table = unsafe corec_names_make(listed.bytes, listed.ends, listed.ends.count) else {
      throw Disagreement(description: "no memory")
    }
    defer { unsafe corec_names_free(table) }
    func swift() -> UInt64 {
      var sum: UInt64 = 0
      var start = 0
      let bytes = asked.bytes.rawSpan
      for end in asked.ends {
        sum &+= UInt64(list.match(name: bytes.extracting(start..<Int(end)))?.line ?? 0)
        start = Int(end)
      }
      return sum
    }
    func c() -> UInt64 { unsafe corec_names_look(table, asked.bytes, asked.ends, asked.ends.count) }
    return try measure(name, asked.ends.count, repetitions, swift, c)
  }

  /// The same by a set of strings, asked for every end of a name that begins at a label: what one would write first.
  private static func measureSet(_ name: String, _ listed: Texts, _ asked: Texts, _ repetitions: Int) -> Row {
    let set = Set(listed.ends.indices.map { String(decoding: listed[$0], as: UTF8.self) })
    let names = asked.ends.indices.map { String(decoding: asked[$0], as: UTF8.self) }
    var row = Row(name: "\(name), in a Set<String>")
    for _ in 0..<max(3, repetitions / 3) {
      let start = corec_thread_nanoseconds()
      var found = 0
      for name in names {
        var rest = name[...]
        while true {
          if set.contains(String(rest)) {
            found += 1
            break
          }
          guard let dot = rest.utf8.firstIndex(of: 0x2e) else { break }
          rest = rest[rest.utf8.index(after: dot)...]
        }
      }
      row.swift.append(Double(corec_thread_nanoseconds() - start) / Double(names.count))
      precondition(found >= 0)
    }
    return row
  }

  private static func measure(
    _ name: String, _ lookups: Int, _ repetitions: Int, _ swift: () -> UInt64, _ c: () -> UInt64
  ) throws(Disagreement) -> Row {
    let (ours, theirs) = (swift(), c())
    guard ours == theirs else { throw Disagreement(description: "\(name): \(ours) and \(theirs) found") }
    var row = Row(name: name)
    let before = corec_allocations()
    _ = swift()
    row.allocations = Double(corec_allocations() - before) / Double(lookups)
    for repetition in 0..<repetitions {
      for turn in 0..<2 {
        let isSwift = (turn == 0) == (repetition % 2 == 0)
        let start = corec_thread_nanoseconds()
        _ = isSwift ? swift() : c()
        let time = Double(corec_thread_nanoseconds() - start) / Double(lookups)
        if isSwift { row.swift.append(time) } else { row.c.append(time) }
      }
    }
    return row
  }

  /// Lookups among `count` networks.
  static func networks(_ count: Int, repetitions: Int) throws(Disagreement) -> [Row] {
    var maker = ListMaker(seed: 1)
    var writer = ListSnapshotWriter(key: (1, 2))
    var records = [UInt8](repeating: 0, count: ListSnapshotWriter.recordsStart)
    var firsts: [UInt32] = []
    var old = NetworkTable<Int>()
    for number in 0..<count {
      let (first, length) = maker.network()
      guard let network = IPNetwork(IPAddress(v4: first), prefixLength: length) else { continue }
      _ = writer.add(network, line: number + 1)
      old.insert(network, number + 1)
      firsts.append(first)
    }
    let list = try open(&writer, &records)
    var other = ListMaker(seed: 2)
    var rows: [Row] = []
    for isListed in [true, false] {
      let asked = (0..<Self.asked).map { _ in
        isListed
          ? firsts[Int(other.number() % UInt64(firsts.count))]
          : 0x0100_0000 &+ UInt32(truncatingIfNeeded: other.number() % 0xdd00_0000)
      }
      let addresses = asked.map { IPAddress(v4: $0) }
      let (beginnings, lines) = flattened(list, firsts)
      func ours() -> UInt64 {
        var sum: UInt64 = 0
        for address in addresses { sum &+= UInt64(list.match(address)?.line ?? 0) }
        return sum
      }
      func table() -> UInt64 {
        var sum: UInt64 = 0
        for address in addresses { sum &+= UInt64(old.match(address)?.value ?? 0) }
        return sum
      }
      let name = "\(count) networks, \(isListed ? "first addresses" : "any address")"
      rows.append(
        try measure(name, asked.count, repetitions, ours) {
          unsafe corec_ranges_look(beginnings, lines, beginnings.count, asked, asked.count)
        })
      var row = Row(name: "\(name), in a table by prefix length")
      for _ in 0..<max(3, repetitions / 3) {
        let start = corec_thread_nanoseconds()
        let sum = table()
        row.swift.append(Double(corec_thread_nanoseconds() - start) / Double(asked.count))
        guard sum == ours() else { throw Disagreement(description: "\(name): the tables disagree") }
      }
      rows.append(row)
    }
    return rows
  }

  /// The same ranges for the C search: every address where the answer may change, and the line that holds from there.
  private static func flattened(_ list: ListSnapshot, _ firsts: [UInt32]) -> (firsts: [UInt32], lines: [UInt32]) {
    var places: Set<UInt32> = [0]
    for first in firsts {
      places.insert(first)
      for length in [32, 24, 22, 20, 16] {
        places.insert((first | (length == 32 ? 0 : .max >> UInt32(length))) &+ 1)
      }
    }
    var beginnings: [UInt32] = []
    var lines: [UInt32] = []
    for place in places.sorted() {
      let line = UInt32(list.match(IPAddress(v4: place))?.line ?? 0)
      guard lines.last != line else { continue }
      beginnings.append(place)
      lines.append(line)
    }
    return (beginnings, lines)
  }
}
