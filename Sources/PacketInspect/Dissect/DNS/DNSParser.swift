/// Reading DNS messages (RFC 1035 section 4.1).
extension DNSMessage {
  /// Length of the header in bytes (RFC 1035 section 4.1.1).
  static let headerLength = 12
  /// Records of the authority and additional sections walked, only to see where the message ends.
  static let maximumSkippedRecords = 256

  /// Reads a whole message, as one UDP datagram or one TCP frame carries it. `message` is emptied first.
  ///
  /// Nil when it was read. What can be read of a damaged message is kept and the damage marked: later records that
  /// break off leave the questions and earlier answers, with `inconsistentLength` or `cut`. An error means that there
  /// is nothing to go by: no header, or neither a question nor an answer that can be read.
  public static func parse(_ bytes: RawSpan, into message: inout DNSMessage) -> ParseError? {
    message.reset()
    guard bytes.byteCount >= headerLength else { return .truncated }
    message.id = bytes.u16(at: 0)
    let flags = bytes.u16(at: 2)
    message.isResponse = flags & 0x8000 != 0
    message.opcode = UInt8(truncatingIfNeeded: flags >> 11 & 15)
    message.isTruncated = flags & 0x0200 != 0
    message.responseCode = UInt8(truncatingIfNeeded: flags & 15)
    do throws(ParseError) {
      try message.readSections(bytes)
    } catch {
      if message.questions.isEmpty, message.answers.isEmpty { return error }
      message.oddities.insert(.inconsistentLength)
    }
    return nil
  }

  /// The length of the message that follows on a TCP stream (RFC 1035 section 4.2.2), without the two bytes that
  /// say it; nil while they have not both arrived.
  public static func tcpLength(_ stream: RawSpan) -> Int? {
    stream.byteCount >= 2 ? Int(stream.u16(at: 0)) : nil
  }

  private mutating func readSections(_ bytes: RawSpan) throws(ParseError) {
    var offset = try readQuestions(bytes, count: Int(bytes.u16(at: 4)))
    if oddities.contains(.cut) { return }
    offset = try readAnswers(bytes, count: Int(bytes.u16(at: 6)), from: offset)
    let others = Int(bytes.u16(at: 8)) + Int(bytes.u16(at: 10))
    if others > Self.maximumSkippedRecords { oddities.insert(.cut) }
    if oddities.contains(.cut) { return }
    for _ in 0..<others {
      offset = try DNSName.skip(bytes, at: offset)
      offset = try DNSRecordHeader(bytes, at: offset).dataEnd
    }
    if offset < bytes.byteCount { oddities.insert(.trailingBytes) }
  }

  private mutating func readQuestions(_ bytes: RawSpan, count: Int) throws(ParseError) -> Int {
    var offset = Self.headerLength
    var name = HostName()
    for _ in 0..<count {
      guard questions.count < Self.maximumQuestions else {
        oddities.insert(.cut)
        break
      }
      offset = try DNSName.read(bytes, at: offset, into: &name)
      guard bytes.byteCount - offset >= 4 else { throw .truncated }
      if name.hasOddBytes { oddities.insert(.oddNameBytes) }
      if !questions.isEmpty { oddities.insert(.severalQuestions) }
      questions.append(
        DNSQuestion(name: name, type: bytes.u16(at: offset), recordClass: bytes.u16(at: offset + 2)))
      offset += 4
    }
    return offset
  }

  private mutating func readAnswers(_ bytes: RawSpan, count: Int, from start: Int) throws(ParseError) -> Int {
    var offset = start
    var name = HostName()
    for _ in 0..<count {
      guard answers.count < Self.maximumAnswers else {
        oddities.insert(.cut)
        break
      }
      offset = try DNSName.read(bytes, at: offset, into: &name)
      let header = try DNSRecordHeader(bytes, at: offset)
      if name.hasOddBytes { oddities.insert(.oddNameBytes) }
      let data = DNSRecordData.read(bytes, header, &oddities)
      answers.append(DNSRecord(name: name, type: header.type, timeToLive: header.timeToLive, data: data))
      offset = header.dataEnd
    }
    return offset
  }
}

/// The fixed fields of a record after its owner name (RFC 1035 section 4.1.3).
struct DNSRecordHeader {
  let type: UInt16
  let recordClass: UInt16
  let timeToLive: UInt32
  /// Where the data starts.
  let dataStart: Int
  /// Where the data, and with it the record, ends.
  let dataEnd: Int

  /// Reads the fields at `offset`; throws `truncated` when they, or the data they announce, are not all there.
  init(_ bytes: RawSpan, at offset: Int) throws(ParseError) {
    guard bytes.byteCount - offset >= 10 else { throw .truncated }
    type = bytes.u16(at: offset)
    recordClass = bytes.u16(at: offset + 2)
    timeToLive = bytes.u32(at: offset + 4)
    dataStart = offset + 10
    dataEnd = dataStart + Int(bytes.u16(at: offset + 8))
    guard dataEnd <= bytes.byteCount else { throw .truncated }
  }
}
