/// The fragments of one datagram that have arrived, in order, no byte twice.
struct Datagram {
  enum Outcome {
    case incomplete
    case complete
    /// The fragments contradict each other; nothing of them is kept and later ones are refused.
    case conflict
    /// A fragment of a datagram that is spoiled already.
    case refused
  }

  /// What a piece costs beside its bytes (array header, entry), so that many small ones count for what they are.
  static let pieceOverhead = 64
  /// What an empty datagram costs in the table.
  static let overhead = 256

  /// Tells this datagram from an earlier one with the same key.
  let serial: UInt64
  /// Bytes held, overheads included.
  private(set) var cost = Datagram.overhead

  private struct Piece {
    let offset: Int
    let bytes: [UInt8]
    var end: Int { offset + bytes.count }
  }

  private var pieces: [Piece] = []
  private var received = 0
  /// Length of the whole fragmentable part, known from the last fragment.
  private var totalLength: Int?
  /// The headers of the first fragment, and what to patch in them.
  private var headers: [UInt8] = []
  private var first: FragmentInfo?
  private var isSpoiled = false

  init(serial: UInt64) { self.serial = serial }

  /// Adds a fragment whose `info` was checked: not empty, inside 65,535 bytes and inside `packet`.
  mutating func add(_ packet: RawSpan, _ info: FragmentInfo) -> Outcome {
    if isSpoiled { return .refused }
    let end = info.offset + info.dataLength
    if !info.moreFragments {
      if let totalLength, totalLength != end { return spoil() }
      totalLength = end
    }
    // The last piece has the highest end, so this covers a new end before old data as well as new data behind it.
    if let totalLength, max(end, pieces.last?.end ?? 0) > totalLength { return spoil() }
    guard insert(packet.extracting(info.dataOffset..<info.dataOffset + info.dataLength), at: info.offset) else {
      return spoil()
    }
    if info.offset == 0, first == nil {
      first = info
      headers = packet.extracting(first: info.unfragmentableLength).array()
      cost += headers.count
    }
    return received == totalLength && first != nil ? .complete : .incomplete
  }

  private mutating func spoil() -> Outcome {
    isSpoiled = true
    pieces = []
    headers = []
    cost = Self.overhead
    return .conflict
  }

  /// Puts the part of `data` that is new among the pieces; false when the part that is not new differs.
  private mutating func insert(_ data: RawSpan, at offset: Int) -> Bool {
    let end = offset + data.byteCount
    var cursor = offset
    var index = firstPiece(endingAfter: offset)
    while cursor < end {
      let nextStart = index < pieces.count ? min(pieces[index].offset, end) : end
      if cursor < nextStart {
        let piece = Piece(offset: cursor, bytes: data.extracting(cursor - offset..<nextStart - offset).array())
        pieces.insert(piece, at: index)
        received += piece.bytes.count
        cost += piece.bytes.count + Self.pieceOverhead
        cursor = nextStart
      } else {
        let piece = pieces[index]
        let overlapEnd = min(piece.end, end)
        let known = piece.bytes.rawSpan.extracting(cursor - piece.offset..<overlapEnd - piece.offset)
        guard known.equals(data.extracting(cursor - offset..<overlapEnd - offset)) else { return false }
        cursor = overlapEnd
      }
      index += 1
    }
    return true
  }

  /// Index of the first piece that ends behind `offset`, by binary search; mostly the place behind the last.
  private func firstPiece(endingAfter offset: Int) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].end > offset { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The whole packet: the first fragment's headers without the fragmentation, then the data. Nil when it would be
  /// longer than its length field can say.
  func reassembled() -> [UInt8]? {
    guard let first, let totalLength else { return nil }
    var packet = headers
    packet.reserveCapacity(headers.count + totalLength)
    for piece in pieces { packet.append(contentsOf: piece.bytes) }
    let isIPv4 = packet[0] >> 4 == 4
    let length = isIPv4 ? packet.count : packet.count - NetworkHeader.ipv6FixedLength
    guard length <= 65535 else { return nil }
    let lengthOffset = isIPv4 ? 2 : 4
    packet[lengthOffset] = UInt8(length >> 8)
    packet[lengthOffset + 1] = UInt8(length & 0xff)
    packet[first.nextHeaderOffset] = first.nextHeader.rawValue
    if isIPv4 {
      // Flags, fragment offset and checksum; the identification stays.
      for offset in [6, 7, 10, 11] { packet[offset] = 0 }
      var checksum = InternetChecksum()
      checksum.add(packet.rawSpan.extracting(first: headers.count))
      packet[10] = UInt8(checksum.value >> 8)
      packet[11] = UInt8(checksum.value & 0xff)
    }
    return packet
  }
}
