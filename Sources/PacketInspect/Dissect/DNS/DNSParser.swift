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
    var failure: ParseError?
    do throws(ParseError) {
      try message.readSections(bytes, &failure)
    } catch {
      failure = failure ?? error
    }
    guard let failure else { return nil }
    if message.questions.isEmpty, message.answers.isEmpty { return failure }
    message.oddities.insert(.inconsistentLength)
    return nil
  }

  /// The length of the message that follows on a TCP stream (RFC 1035 section 4.2.2), without the two bytes that
  /// say it; nil while they have not both arrived.
  public static func tcpLength(_ stream: RawSpan) -> Int? {
    stream.byteCount >= 2 ? Int(stream.u16(at: 0)) : nil
  }

  private mutating func readSections(_ bytes: RawSpan, _ failure: inout ParseError?) throws(ParseError) {
    var offset = try readQuestions(bytes, count: Int(bytes.u16(at: 4)), &failure)
    if oddities.contains(.cut) { return }
    offset = try readAnswers(bytes, count: Int(bytes.u16(at: 6)), from: offset, &failure)
    let others = Int(bytes.u16(at: 8)) + Int(bytes.u16(at: 10))
    if others > Self.maximumSkippedRecords { oddities.insert(.cut) }
    if oddities.contains(.cut) { return }
    for _ in 0..<others {
      offset = try DNSName.skip(bytes, at: offset)
      offset = try DNSRecordHeader(bytes, at: offset).dataEnd
    }
    if offset < bytes.byteCount { oddities.insert(.trailingBytes) }
  }

  /// The offset after the name at `offset`. A name that cannot be read is stepped over when its end can be seen, so
  /// that it does not hide what follows; `isReadable` is then false and `failure` says why.
  private static func readName(
    _ bytes: RawSpan, at offset: Int, into name: inout HostName, _ failure: inout ParseError?
  ) throws(ParseError) -> (end: Int, isReadable: Bool) {
    do throws(ParseError) {
      return (try DNSName.read(bytes, at: offset, into: &name), true)
    } catch {
      failure = failure ?? error
      return (try DNSName.skip(bytes, at: offset), false)
    }
  }

  private mutating func readQuestions(
    _ bytes: RawSpan, count: Int, _ failure: inout ParseError?
  ) throws(ParseError) -> Int {
    var offset = Self.headerLength
    var name = HostName()
    // The caps count what was stepped over too: following pointers for nothing is work as well.
    for index in 0..<count {
      guard index < Self.maximumQuestions else {
        oddities.insert(.cut)
        break
      }
      let read = try Self.readName(bytes, at: offset, into: &name, &failure)
      offset = read.end
      guard bytes.byteCount - offset >= 4 else { throw .truncated }
      guard read.isReadable else {
        offset += 4
        continue
      }
      if name.hasOddBytes { oddities.insert(.oddNameBytes) }
      if !questions.isEmpty { oddities.insert(.severalQuestions) }
      questions.append(
        DNSQuestion(name: name, type: bytes.u16(at: offset), recordClass: bytes.u16(at: offset + 2)))
      offset += 4
    }
    return offset
  }

  private mutating func readAnswers(
    _ bytes: RawSpan, count: Int, from start: Int, _ failure: inout ParseError?
  ) throws(ParseError) -> Int {
    var offset = start
    var name = HostName()
    for index in 0..<count {
      guard index < Self.maximumAnswers else {
        oddities.insert(.cut)
        break
      }
      let read = try Self.readName(bytes, at: offset, into: &name, &failure)
      let header = try DNSRecordHeader(bytes, at: read.end)
      offset = header.dataEnd
      guard read.isReadable else { continue }
      if name.hasOddBytes { oddities.insert(.oddNameBytes) }
      let data = DNSRecordData.read(bytes, header, &oddities)
      answers.append(DNSRecord(name: name, type: header.type, timeToLive: header.timeToLive, data: data))
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
