/// Telling DNS from other datagrams on any port. Conservative: a false "yes" would put names in the record that
/// nobody asked for, so everything must fit to the last byte. Port 53 needs no such test.
extension DNSMessage {
  /// True when `bytes` is an ordinary query: one to four questions, no answers, at most two additional records
  /// (EDNS and a signature), and nothing left over.
  public static func looksLikeQuery(_ bytes: RawSpan) -> Bool {
    guard bytes.byteCount >= headerLength else { return false }
    // QR, opcode, AA, TC, RA, the reserved bit and RCODE are zero in a query; RD, AD and CD are the client's choice.
    guard bytes.u16(at: 2) & ~0x0130 == 0 else { return false }
    guard bytes.u16(at: 6) == 0, bytes.u16(at: 8) == 0, bytes.u16(at: 10) <= 2 else { return false }
    return sectionsFit(bytes)
  }

  /// True when `bytes` is an ordinary answer to a query: one to four questions, records that fit to the last byte.
  public static func looksLikeResponse(_ bytes: RawSpan) -> Bool {
    guard bytes.byteCount >= headerLength else { return false }
    // QR set, opcode QUERY, reserved bit clear; response codes up to those of RFC 2136.
    let flags = bytes.u16(at: 2)
    guard flags & 0xf840 == 0x8000, flags & 15 <= 10 else { return false }
    return sectionsFit(bytes)
  }

  private static func sectionsFit(_ bytes: RawSpan) -> Bool {
    let questions = Int(bytes.u16(at: 4))
    let records = Int(bytes.u16(at: 6)) + Int(bytes.u16(at: 8)) + Int(bytes.u16(at: 10))
    guard (1...4).contains(questions), records <= maximumAnswers else { return false }
    do throws(ParseError) {
      var offset = headerLength
      var name = HostName()
      for _ in 0..<questions {
        offset = try DNSName.read(bytes, at: offset, into: &name)
        guard bytes.byteCount - offset >= 4, bytes.u16(at: offset) != 0, isUsual(class: bytes.u16(at: offset + 2))
        else { return false }
        offset += 4
      }
      for _ in 0..<records {
        offset = try DNSName.read(bytes, at: offset, into: &name)
        offset = try DNSRecordHeader(bytes, at: offset).dataEnd
      }
      return offset == bytes.byteCount
    } catch {
      return false
    }
  }

  /// IN, CH, HS, ANY, and IN with mDNS's unicast bit.
  private static func isUsual(class value: UInt16) -> Bool {
    value == 1 || value == 3 || value == 4 || value == 255 || value == 0x8001
  }
}
