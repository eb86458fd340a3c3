/// Why bytes are no snapshot that can be used. The raw value completes "the snapshot …".
public enum SnapshotError: String, Error, Sendable {
  /// Shorter than a header.
  case tooShort = "is too short"
  /// Another kind of file.
  case foreign = "is no snapshot of a list"
  /// Written by another version.
  case version = "has another version of the format"
  /// Shorter or longer than its header says.
  case size = "is not as long as it says"
  /// A section that does not lie where it must.
  case layout = "has a section where none can be"
  /// Changed after it was written.
  case checksum = "has a wrong checksum"
}

/// What a snapshot was made of: while all of this is the same, it need not be made again.
public struct SnapshotSource: Hashable, Sendable {
  /// Bytes of the list.
  public var size: UInt64
  /// When it was last modified, in nanoseconds since 1970.
  public var modified: Int64
  /// Checksum of the list's bytes.
  public var checksum: UInt64
  /// How it was read: its format, and whatever else decides what becomes of a line.
  public var reading: UInt64

  /// A source.
  public init(size: UInt64, modified: Int64, checksum: UInt64, reading: UInt64) {
    self.size = size
    self.modified = modified
    self.checksum = checksum
    self.reading = reading
  }
}

/// A snapshot's first bytes: 8 bytes a field, the highest first. docs/lists.md has the table.
struct SnapshotHeader {
  /// "nfqLists".
  static let magic: UInt64 = 0x6e66_714c_6973_7473
  static let version: UInt64 = 1
  /// Bytes of the header; names begin here, so that no name's offset is zero.
  static let size = 256
  /// Where what the checksum covers begins.
  static let checkedFrom = 24
  /// Names cannot be further from the start than a slot can say.
  static let maximumNames = Int(UInt32.max)

  /// No search among slots is longer: twenty times what is met with a hash that nobody could aim at.
  static let maximumProbe = 4_096

  var key: (UInt64, UInt64) = (0, 0)
  var fileSize = 0
  var source = SnapshotSource(size: 0, modified: 0, checksum: 0, reading: 0)
  /// Where the names end and the slots begin.
  var namesEnd = size
  var slots = 0
  var domains = 0
  /// Slots that a lookup must look at, at most.
  var longestProbe = 0
  /// Bytes of the longest name.
  var longestName = 0
  /// Bit n: some name has n labels; bit 63: 63 or more.
  var labels: UInt64 = 0
  var networks = 0
  /// Intervals by family.
  var intervals4 = 0
  var intervals6 = 0
  /// Bytes of the note at the end.
  var note = 0

  /// The fields in their order, but for the checksum.
  private var words: [UInt64] {
    let numbers = [namesEnd, slots, domains, longestProbe, longestName].map { UInt64($0) }
    let rest = [networks, intervals4, intervals6, note].map { UInt64($0) }
    return [
      key.0, key.1, source.size, UInt64(bitPattern: source.modified), source.checksum, source.reading,
      UInt64(fileSize),
    ] + numbers + [labels] + rest
  }

  func write(to target: some SnapshotTarget) {
    for (index, word) in words.enumerated() { target.put(word, at: Self.checkedFrom + 8 * index) }
    target.put(Self.magic, at: 0)
    target.put(Self.version, at: 8)
  }

  /// Reads and checks everything that can be checked without looking at the sections.
  init(_ bytes: RawSpan) throws(SnapshotError) {
    guard bytes.byteCount >= Self.size else { throw .tooShort }
    guard bytes.u64(at: 0) == Self.magic else { throw .foreign }
    guard bytes.u64(at: 8) == Self.version else { throw .version }
    func word(_ index: Int) -> UInt64 { bytes.u64(at: Self.checkedFrom + 8 * index) }
    /// No number of things can be larger than the file, which leaves room to add and multiply.
    func number(_ index: Int) throws(SnapshotError) -> Int {
      let value = word(index)
      guard value <= UInt64(bytes.byteCount) else { throw .layout }
      return Int(value)
    }
    key = (word(0), word(1))
    source = SnapshotSource(
      size: word(2), modified: Int64(bitPattern: word(3)), checksum: word(4), reading: word(5))
    guard word(6) == UInt64(bytes.byteCount) else { throw .size }
    fileSize = bytes.byteCount
    namesEnd = try number(7)
    slots = try number(8)
    domains = try number(9)
    longestProbe = try number(10)
    longestName = try number(11)
    labels = word(12)
    networks = try number(13)
    intervals4 = try number(14)
    intervals6 = try number(15)
    note = try number(16)
    guard namesEnd >= Self.size, namesEnd <= Self.maximumNames, namesEnd % 8 == 0 else { throw .layout }
    guard longestProbe <= min(slots, Self.maximumProbe), domains <= slots, longestName <= HostName.maximumLength else {
      throw .layout
    }
    guard notesStart + note == fileSize else { throw .layout }
  }

  init() {}

  // Where the sections begin.
  var slotsStart: Int { namesEnd }
  var filter: NameFilter { NameFilter(start: slotsStart + 8 * slots, slots: slots) }
  var networks4: NetworkSection { NetworkSection(start: filter.end, count: intervals4, keyBytes: 4) }
  var networks6: NetworkSection { NetworkSection(start: networks4.end, count: intervals6, keyBytes: 16) }
  var notesStart: Int { networks6.end }
}
