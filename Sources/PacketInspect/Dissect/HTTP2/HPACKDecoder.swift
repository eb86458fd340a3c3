/// Reads a client's header blocks (RFC 7541), one after the other: each may refer to what those before it said.
///
/// Kept of the dynamic table are sizes, and the values of the few fields that name a destination. Other values are
/// counted and passed over, so that no header value is held.
struct HPACKDecoder: Sendable {
  /// The fields that are told apart.
  enum Field: UInt8, Sendable {
    case authority, method, scheme, path, host, `protocol`, other

    /// True for fields whose values are read.
    var isKept: Bool { self == .authority || self == .method || self == .host || self == .protocol }
  }

  private struct Entry: Sendable {
    var field: Field
    var nameLength: Int
    var valueLength: Int
    var value: [UInt8]
    /// RFC 7541 section 4.1.
    var size: Int { nameLength + valueLength + 32 }
  }

  /// Bytes kept of one value: a host name with a user name and a port, and more than any server takes.
  static let maximumValue = 512
  /// The largest dynamic table that is followed. Clients may use 4,096 bytes until the server allows more, which is not
  /// seen here; real servers allow 64 KiB at most.
  static let maximumTable = 65_536

  private var entries: [Entry] = []
  /// Entries before this one are evicted; taken out now and then, so that a flood of them costs no move each.
  private var firstLive = 0
  private var size = 0
  private var capacity = 4_096

  /// Bytes that the dynamic table stands for.
  var tableSize: Int { size }

  /// Reads one block. False for a compression error (RFC 7541 section 6, RFC 9113 section 4.3), after which nothing on
  /// the connection can be read.
  mutating func decode(_ block: RawSpan, into request: inout HTTP2Request) -> Bool {
    do throws(ParseError) {
      var reader = PacketReader(block)
      while !reader.isEmpty {
        let first = try reader.u8()
        if first & 0x80 != 0 {
          guard let entry = entry(try Self.integer(first, bits: 7, &reader)) else { return false }
          request.take(entry.field, entry.value, length: entry.valueLength)
        } else if first & 0xe0 == 0x20 {
          let wanted = try Self.integer(first, bits: 5, &reader)
          guard wanted <= Self.maximumTable else { return false }
          capacity = wanted
          evict()
        } else {
          let isIndexed = first & 0x40 != 0
          guard let literal = try literal(try Self.integer(first, bits: isIndexed ? 6 : 4, &reader), &reader) else {
            return false
          }
          request.take(literal.field, literal.value, length: literal.valueLength)
          if isIndexed { insert(literal) }
        }
      }
      return true
    } catch {
      return false
    }
  }

  private func literal(_ index: Int, _ reader: inout PacketReader) throws(ParseError) -> Entry? {
    var field = Field.other
    var nameLength = 0
    if index > 0 {
      guard let named = entry(index) else { return nil }
      (field, nameLength) = (named.field, named.nameLength)
    } else {
      guard let name = try Self.string(&reader, limit: Self.longestName) else { return nil }
      nameLength = name.length
      if name.length == name.bytes.count { field = Self.field(name.bytes) }
    }
    guard let value = try Self.string(&reader, limit: field.isKept ? Self.maximumValue : 0) else { return nil }
    return Entry(field: field, nameLength: nameLength, valueLength: value.length, value: value.bytes)
  }

  /// The entry of an index: the static table, then the dynamic one, newest first (RFC 7541 section 2.3.3).
  private func entry(_ index: Int) -> Entry? {
    guard index > 0 else { return nil }
    if index <= Self.staticNames.count {
      return Entry(
        field: Self.staticField(index), nameLength: Int(Self.staticNames[index - 1]), valueLength: 0,
        value: index == 2 ? Array("GET".utf8) : index == 3 ? Array("POST".utf8) : [])
    }
    let place = entries.count - (index - Self.staticNames.count)
    return place >= firstLive ? entries[place] : nil
  }

  private mutating func insert(_ entry: Entry) {
    entries.append(entry)
    size += entry.size
    evict()
  }

  private mutating func evict() {
    while size > capacity, firstLive < entries.count {
      size -= entries[firstLive].size
      entries[firstLive].value = []
      firstLive += 1
    }
    if firstLive > 64, firstLive * 2 > entries.count {
      entries.removeFirst(firstLive)
      firstLive = 0
    }
  }

  /// An integer whose first bits are in `first` (RFC 7541 section 5.1). No length or index here needs four bytes.
  private static func integer(_ first: UInt8, bits: UInt8, _ reader: inout PacketReader) throws(ParseError) -> Int {
    let mask = UInt8((1 << UInt16(bits)) - 1)
    guard first & mask == mask else { return Int(first & mask) }
    var value = Int(mask)
    for shift in stride(from: 0, to: 28, by: 7) {
      let byte = try reader.u8()
      value += Int(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw .tooMany
  }

  /// A string of which `limit` bytes are kept (RFC 7541 section 5.2); nil when its Huffman code is broken.
  private static func string(
    _ reader: inout PacketReader, limit: Int
  ) throws(ParseError) -> (bytes: [UInt8], length: Int)? {
    let first = try reader.u8()
    let text = try reader.span(try integer(first, bits: 7, &reader))
    if first & 0x80 != 0 { return HPACKHuffman.decode(text, limit: limit) }
    return (text.extracting(first: min(limit, text.byteCount)).array(), text.byteCount)
  }

  private static let longestName = 10

  private static func field(_ name: [UInt8]) -> Field {
    switch String(decoding: name, as: UTF8.self) {
    case ":authority": .authority
    case ":method": .method
    case ":scheme": .scheme
    case ":path": .path
    case ":protocol": .protocol
    case "host": .host
    default: .other
    }
  }

  private static func staticField(_ index: Int) -> Field {
    switch index {
    case 1: .authority
    case 2, 3: .method
    case 4, 5: .path
    case 6, 7: .scheme
    case 38: .host
    default: .other
    }
  }

  /// Lengths of the static table's names (RFC 7541 Appendix A), from index 1.
  private static let staticNames: [UInt8] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4, 4,
    6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
  ]
}
