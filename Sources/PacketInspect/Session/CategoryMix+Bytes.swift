/// A session's mix as bytes, so that a restart resets neither counts nor evidence.
///
/// Numbers are big-endian. Categories are written by name, since an operator's own have other numbers in another process.
/// What comes back may have been written by anyone who could write the store: every length is checked, and anything odd
/// makes the whole unusable (a session then starts with no contacts).
extension CategoryMix {
  private static let version: UInt8 = 1
  /// Bytes that a mix can come to: 64 names, 13 rows of counts, 10 hosts.
  static let maximumBytes = 16_384

  /// The mix as bytes.
  public func bytes(names: CategoryNames) -> [UInt8] {
    var writer = MixWriter()
    writer.put(Self.version)
    writer.put(fingerprint)
    writer.put(total)
    writer.put(startsMade)
    writer.put(flags)
    writer.put(UInt8(isHeld ? 1 : 0))
    let last = lastOrdinary.map { Int($0.rawValue) }
    let used = (0..<width).filter { (cells[$0] > 0 || isRisen($0) || $0 == last) && $0 < names.count }
    writer.put(lastGroup?.rawValue ?? .max)
    writer.put(last.flatMap { used.firstIndex(of: $0) }.map { UInt8($0) } ?? .max)
    for place in 0..<4 { writer.put(groupRepeats.weights[place].bitPattern) }
    for place in 0..<4 { writer.put(ordinaryRepeats.weights[place].bitPattern) }
    writer.put(UInt8(used.count))
    for place in used {
      writer.put(names[Category(rawValue: UInt8(place))])
      writer.put(UInt8(isRisen(place) ? 1 : 0))
    }
    writer.put(UInt8(starts.count))
    for start in starts {
      writer.put(start.start)
      for bet in 0..<4 { writer.put(start.capital[bet].bitPattern) }
    }
    for row in 0...starts.count { for place in used { writer.put(cells[row * width + place]) } }
    let hosts = hosts.entries.filter { used.contains(Int($0.category.rawValue)) }
    writer.put(UInt8(hosts.count))
    for host in hosts {
      writer.put(host.last)
      writer.put(host.contacts)
      writer.put(UInt8(used.firstIndex(of: Int(host.category.rawValue)) ?? 0))
      switch host.key {
      case .domain(let name):
        writer.put(UInt8(0))
        writer.put(name)
      case .v4(let value):
        writer.put(UInt8(1))
        writer.put(value)
      case .v6(let value):
        writer.put(UInt8(2))
        writer.put(value)
      }
    }
    return writer.bytes
  }

  private func isRisen(_ place: Int) -> Bool { risen.contains(CategorySet(Category(rawValue: UInt8(place)))) }

  /// A mix as it was stored; nil for anything that `bytes` does not write, and when a category is gone: its contacts
  /// would be evidence of nothing. Against another baseline the counts stay and the evidence goes.
  public init?(bytes: [UInt8], baseline: MixBaseline, names: CategoryNames) {
    guard bytes.count <= Self.maximumBytes else { return nil }
    var reader = MixReader(bytes)
    guard reader.take(UInt8.self) == Self.version, let fingerprint = reader.take(UInt64.self),
      let total = reader.take(UInt32.self), total <= Self.maximumContacts, let made = reader.take(UInt32.self),
      let flags = reader.take(UInt8.self), let held = reader.take(UInt8.self), held < 2,
      let lastGroup = reader.take(UInt8.self), let lastOrdinary = reader.take(UInt8.self),
      let groupWeights = reader.takeWeights(), let ordinaryWeights = reader.takeWeights(),
      let count = reader.take(UInt8.self), count <= CategoryNames.maximumCount
    else { return nil }
    self.init(baseline)
    var used: [Int] = []
    var risen: CategorySet = []
    for _ in 0..<count {
      guard let name = reader.takeText(), let category = names.category(named: name), Int(category.rawValue) < width,
        !used.contains(Int(category.rawValue)), let hasRisen = reader.take(UInt8.self), hasRisen < 2
      else { return nil }
      used.append(Int(category.rawValue))
      if hasRisen == 1 { risen.insert(CategorySet(category)) }
    }
    guard let startCount = reader.take(UInt8.self), startCount <= MixTest.maximumStarts else { return nil }
    var starts: [MixStart] = []
    for _ in 0..<startCount {
      guard let start = reader.take(UInt32.self), start < total, start > starts.last?.start ?? 0 || starts.isEmpty
      else {
        return nil
      }
      var capital = SIMD4<Float>.zero
      for bet in 0..<4 {
        guard let value = reader.takeFloat(), value >= 0, value <= 1e30 else { return nil }
        capital[bet] = value
      }
      starts.append(MixStart(start: start, capital: capital))
    }
    var cells = [UInt16](repeating: 0, count: width * (starts.count + 1))
    for row in 0...starts.count {
      var sum: UInt32 = 0
      for place in used {
        guard let value = reader.take(UInt16.self) else { return nil }
        // What came since is part of all there is.
        guard row == 0 || value <= cells[place] else { return nil }
        cells[row * width + place] = value
        sum &+= UInt32(value)
      }
      guard sum == (row == 0 ? total : total - starts[row - 1].start) else { return nil }
    }
    guard let hostCount = reader.take(UInt8.self), hostCount <= RecentHosts.maximum else { return nil }
    var hosts = RecentHosts()
    for _ in 0..<hostCount {
      guard let last = reader.take(UInt32.self), last <= total, let contacts = reader.take(UInt16.self),
        let category = reader.take(UInt8.self), category < used.count, let key = reader.takeKey()
      else { return nil }
      hosts.entries.append(
        RecentHosts.Host(
          key: key, last: last, contacts: contacts, category: Category(rawValue: UInt8(used[Int(category)]))))
    }
    guard reader.isAtEnd else { return nil }
    take(
      Stored(
        fingerprint: fingerprint, total: total, made: made, flags: flags, isHeld: held == 1, risen: risen,
        lastGroup: MixBaseline.Group(rawValue: lastGroup),
        lastOrdinary: Int(lastOrdinary) < used.count ? Category(rawValue: UInt8(used[Int(lastOrdinary)])) : nil,
        groupWeights: groupWeights, ordinaryWeights: ordinaryWeights, cells: cells, starts: starts, hosts: hosts),
      baseline)
  }
}

private struct MixWriter {
  var bytes: [UInt8] = []

  mutating func put<T: FixedWidthInteger>(_ value: T) {
    var shift = T.bitWidth
    while shift > 0 {
      shift -= 8
      bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  mutating func put(_ text: String) {
    let utf8 = Array(text.utf8.prefix(255))
    bytes.append(UInt8(utf8.count))
    bytes.append(contentsOf: utf8)
  }
}

private struct MixReader {
  private let bytes: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { place == bytes.count }

  mutating func take<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    let size = T.bitWidth / 8
    guard bytes.count - place >= size else { return nil }
    var value: T = 0
    for offset in 0..<size { value = (size > 1 ? value << 8 : 0) | T(truncatingIfNeeded: bytes[place + offset]) }
    place += size
    return value
  }

  mutating func takeFloat() -> Float? {
    guard let bits = take(UInt32.self) else { return nil }
    let value = Float(bitPattern: bits)
    return value.isFinite ? value : nil
  }

  mutating func takeWeights() -> SIMD4<Float>? {
    var weights = SIMD4<Float>.zero
    for place in 0..<4 {
      guard let value = takeFloat(), value > 0, value <= 1 else { return nil }
      weights[place] = value
    }
    return weights
  }

  mutating func takeText() -> String? {
    guard let count = take(UInt8.self), bytes.count - place >= Int(count) else { return nil }
    defer { place += Int(count) }
    return String(validating: bytes[place..<place + Int(count)], as: UTF8.self)
  }

  mutating func takeKey() -> DestinationKey? {
    switch take(UInt8.self) {
    case 0: takeText().map { .domain($0) }
    case 1: take(UInt32.self).map { .v4($0) }
    case 2: take(UInt64.self).map { .v6($0) }
    default: nil
    }
  }
}
