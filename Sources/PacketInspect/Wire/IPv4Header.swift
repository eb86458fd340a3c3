extension NetworkHeader {
  /// RFC 791 section 3.1: the header without options.
  static let ipv4FixedLength = 20
  /// More Authentication Headers than any real stack nests; the cap keeps a packet made of nothing else cheap.
  static let maximumIPv4AuthenticationHeaders = 4

  /// Reads an IPv4 header (RFC 791 section 3.1) and any Authentication Header behind it.
  ///
  /// Throws `truncated` below 20 bytes and `badLength` for a header length below five words, which no receiver
  /// accepts and behind which nothing can be found. Everything else is read and marked.
  @inline(__always)
  static func parseIPv4(_ bytes: RawSpan) throws(ParseError) -> NetworkHeader {
    guard bytes.byteCount >= ipv4FixedLength else { throw .truncated }
    let headerLength = Int(bytes.byte(at: 0) & 0x0f) * 4
    guard headerLength >= ipv4FixedLength else { throw .badLength }

    var oddities: WireOddities = []
    var claimedEnd = Int(bytes.u16(at: 2))
    if claimedEnd == 0 {
      oddities.insert(.zeroTotalLength)
      claimedEnd = max(bytes.byteCount, headerLength)
    } else if claimedEnd < headerLength {
      oddities.insert(.lyingLength)
      claimedEnd = headerLength
    }
    if claimedEnd > bytes.byteCount { oddities.insert(.truncatedCapture) }

    var header = NetworkHeader(
      source: IPAddress(v4: bytes.u32(at: 12)), destination: IPAddress(v4: bytes.u32(at: 16)),
      hopLimit: bytes.byte(at: 8), proto: IPProtocol(rawValue: bytes.byte(at: 9)), transportOffset: headerLength,
      claimedEnd: claimedEnd, fragment: nil, oddities: oddities)
    if headerLength > ipv4FixedLength { header.readIPv4Options(bytes, end: headerLength) }

    let flagsAndOffset = bytes.u16(at: 6)
    if flagsAndOffset & 0x3fff != 0 {
      header.setFragment(
        FragmentInfo(
          identification: UInt32(bytes.u16(at: 4)), offset: Int(flagsAndOffset & 0x1fff) * 8,
          moreFragments: flagsAndOffset & 0x2000 != 0, unfragmentableLength: headerLength, dataOffset: headerLength,
          dataLength: claimedEnd - headerLength, nextHeader: header.proto, nextHeaderOffset: 9))
      if flagsAndOffset & 0x1fff != 0 { return header }
    }
    if header.proto == .ah { header.skipIPv4AuthenticationHeaders(bytes) }
    return header
  }

  /// Walks the options for source routes and for lengths that break the list.
  private mutating func readIPv4Options(_ bytes: RawSpan, end: Int) {
    var offset = Self.ipv4FixedLength
    let end = min(end, bytes.byteCount)
    while offset < end {
      let kind = bytes.byte(at: offset)
      if kind == 0 { return }
      if kind == 1 {
        offset += 1
        continue
      }
      guard offset + 1 < end else { break }
      let length = Int(bytes.byte(at: offset + 1))
      guard length >= 2, offset + length <= end else { break }
      // Loose (131) and strict (137) source route.
      if kind == 131 || kind == 137 { oddities.insert(.sourceRoute) }
      offset += length
    }
    if offset < end { oddities.insert(.optionsMalformed) }
  }

  private mutating func skipIPv4AuthenticationHeaders(_ bytes: RawSpan) {
    let end = min(claimedEnd, bytes.byteCount)
    for _ in 0..<Self.maximumIPv4AuthenticationHeaders {
      guard proto == .ah else { return }
      guard let length = Self.authenticationHeaderLength(bytes, at: transportOffset, end: end) else { break }
      proto = IPProtocol(rawValue: bytes.byte(at: transportOffset))
      transportOffset += length
    }
    if proto == .ah { oddities.insert(.extensionHeaderOdd) }
  }
}
