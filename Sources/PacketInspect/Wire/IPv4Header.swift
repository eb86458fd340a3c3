extension NetworkHeader {
  /// RFC 791 section 3.1: the header without options.
  static let ipv4FixedLength = 20

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

    var chain = HeaderChain(
      proto: IPProtocol(rawValue: bytes.byte(at: 9)), transportOffset: headerLength, oddities: oddities, fragment: nil)
    let isFragment = bytes.u16(at: 6) & 0x3fff != 0
    if headerLength > ipv4FixedLength || isFragment || chain.proto == .ah {
      chain = chain.followingIPv4(bytes, claimedEnd: claimedEnd)
    }
    return NetworkHeader(
      source: IPAddress(v4: bytes.u32(at: 12)), destination: IPAddress(v4: bytes.u32(at: 16)),
      hopLimit: bytes.byte(at: 8), claimedEnd: claimedEnd, chain: chain)
  }
}

extension HeaderChain {
  /// More Authentication Headers than any real stack nests; the cap keeps a packet made of nothing else cheap.
  static let maximumIPv4AuthenticationHeaders = 4

  /// The chain of an IPv4 packet that has options, is a fragment, or starts with an Authentication Header.
  @inline(never)
  func followingIPv4(_ bytes: RawSpan, claimedEnd: Int) -> HeaderChain {
    var chain = self
    let headerLength = transportOffset
    chain.readIPv4Options(bytes, end: headerLength)
    let flagsAndOffset = bytes.u16(at: 6)
    if flagsAndOffset & 0x3fff != 0 {
      let info = FragmentInfo(
        identification: UInt32(bytes.u16(at: 4)), offset: (flagsAndOffset & 0x1fff) * 8,
        moreFragments: flagsAndOffset & 0x2000 != 0, unfragmentableLength: headerLength, dataOffset: headerLength,
        dataLength: claimedEnd - headerLength, nextHeader: proto, nextHeaderOffset: 9)
      chain.fragment = info
      chain.oddities.formUnion(info.oddities)
      if info.offset > 0 { return chain }
    }
    chain.skipIPv4AuthenticationHeaders(bytes, end: min(claimedEnd, bytes.byteCount))
    return chain
  }

  /// Walks the options for source routes and for lengths that break the list.
  private mutating func readIPv4Options(_ bytes: RawSpan, end: Int) {
    var offset = NetworkHeader.ipv4FixedLength
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

  private mutating func skipIPv4AuthenticationHeaders(_ bytes: RawSpan, end: Int) {
    for _ in 0..<Self.maximumIPv4AuthenticationHeaders {
      guard proto == .ah else { return }
      guard let length = Self.authenticationHeaderLength(bytes, at: transportOffset, end: end) else { break }
      proto = IPProtocol(rawValue: bytes.byte(at: transportOffset))
      transportOffset += length
    }
    if proto == .ah { oddities.insert(.extensionHeaderOdd) }
  }
}
