/// Removing the protection of an Initial packet and reading its frames.
public enum QUICInitial {
  /// CRYPTO frames read from one packet. Clients that shuffle their hello send a few dozen; more would let one packet
  /// cost as much as thousands.
  public static let maximumCryptoFrames = 256

  /// Bytes of a packet after its packet number's start that header protection needs (RFC 9001 section 5.4.2).
  private static let sampleEnd = 4 + 16

  /// Opens the packet into `plain` and gives its number; nil when these keys do not open it.
  ///
  /// `largest` is the highest packet number seen under these keys. A number that was cut short is completed by it, and
  /// then, should that fail, as if nothing had come before: the server may not have seen what we saw.
  public static func open(
    _ header: QUICLongHeader, in datagram: RawSpan, keys: QUICInitialKeys, largest: UInt64?,
    by cryptography: any QUICCryptography, into plain: inout [UInt8]
  ) -> UInt64? {
    let offset = header.packetNumberOffset
    guard header.type == .initial, header.end <= datagram.byteCount, header.end - offset >= sampleEnd else {
      return nil
    }
    let sample = datagram.extracting(offset + 4..<offset + sampleEnd)
    guard let mask = cryptography.headerProtectionMask(keys, sample: sample), mask.count >= 5 else { return nil }
    let first = datagram.byte(at: header.start) ^ (mask[0] & 0x0f)
    let length = Int(first & 3) + 1
    var associated = datagram.extracting(header.start..<offset + length).array()
    associated[0] = first
    var truncated: UInt64 = 0
    for index in 0..<length {
      let byte = datagram.byte(at: offset + index) ^ mask[1 + index]
      associated[offset - header.start + index] = byte
      truncated = truncated << 8 | UInt64(byte)
    }
    let payload = datagram.extracting(offset + length..<header.end)
    let expected = decode(truncated, bits: UInt64(length) * 8, after: largest)
    for number in expected == truncated ? [truncated] : [expected, truncated] {
      if cryptography.open(keys, packetNumber: number, header: associated, payload: payload, into: &plain) {
        return number
      }
    }
    return nil
  }

  /// The packet number closest to the next one expected (RFC 9000 appendix A.3).
  static func decode(_ truncated: UInt64, bits: UInt64, after largest: UInt64?) -> UInt64 {
    let expected = largest.map { $0 &+ 1 } ?? 0
    let window: UInt64 = 1 << bits
    let half = window / 2
    let candidate = (expected & ~(window - 1)) | truncated
    if candidate &+ half <= expected, candidate < (1 << 62) - window { return candidate + window }
    if candidate > expected &+ half, candidate >= window { return candidate - window }
    return candidate
  }

  /// Hands the CRYPTO frames of an opened packet to the stream, in the order they stand in.
  ///
  /// The worst outcome wins. Reading stops at a frame that Initial packets cannot carry (RFC 9000 section 12.4), since
  /// a server closes the connection there; what came before it counts.
  public static func collect(_ frames: RawSpan, into stream: inout CryptoStream) -> CryptoStream.Outcome {
    var reader = PacketReader(frames)
    var result = CryptoStream.Outcome.nothingNew
    var count = 0
    do throws(ParseError) {
      while !reader.isEmpty {
        switch try reader.quicVariableInteger() {
        case 0x00: try skipPadding(&reader)
        case 0x01: break
        case 0x02: try skipAcknowledgement(&reader, countsECN: false)
        case 0x03: try skipAcknowledgement(&reader, countsECN: true)
        case 0x06:
          count += 1
          guard count <= maximumCryptoFrames else { return .tooMany }
          let offset = try reader.quicVariableInteger()
          let length = try reader.quicVariableInteger()
          guard length <= UInt64(reader.remaining) else { return result }
          switch stream.add(try reader.span(Int(length)), offset: offset) {
          case .nothingNew: break
          case .advanced: result = .advanced
          case .conflict: return .conflict
          case .tooMany: return .tooMany
          }
        default: return result
        }
      }
    } catch {
      return result
    }
    return result
  }

  /// Padding is what most of an Initial packet is made of: passed over eight bytes at a time.
  private static func skipPadding(_ reader: inout PacketReader) throws(ParseError) {
    let rest = reader.rest
    var count = 0
    while count + 8 <= rest.byteCount, rest.u64(at: count) == 0 { count += 8 }
    while count < rest.byteCount, rest.byte(at: count) == 0 { count += 1 }
    try reader.skip(count)
  }

  /// RFC 9000 section 19.3. A lying count of ranges ends with the bytes.
  private static func skipAcknowledgement(_ reader: inout PacketReader, countsECN: Bool) throws(ParseError) {
    _ = try reader.quicVariableInteger()
    _ = try reader.quicVariableInteger()
    var ranges = try reader.quicVariableInteger()
    _ = try reader.quicVariableInteger()
    while ranges > 0 {
      ranges -= 1
      _ = try reader.quicVariableInteger()
      _ = try reader.quicVariableInteger()
    }
    for _ in 0..<(countsECN ? 3 : 0) { _ = try reader.quicVariableInteger() }
  }
}
