extension NetworkHeader {
  /// RFC 8200 section 3: the header without extensions.
  static let ipv6FixedLength = 40

  /// Reads an IPv6 header (RFC 8200 section 3) and its extension headers (section 4).
  ///
  /// Throws `truncated` below 40 bytes. A chain that breaks off leaves `proto` at the header that could not be read.
  @inline(__always)
  static func parseIPv6(_ bytes: RawSpan) throws(ParseError) -> NetworkHeader {
    guard bytes.byteCount >= ipv6FixedLength else { throw .truncated }
    let next = IPProtocol(rawValue: bytes.byte(at: 6))
    let payloadLength = Int(bytes.u16(at: 4))
    var oddities: WireOddities = []
    var claimedEnd = ipv6FixedLength + payloadLength
    if payloadLength == 0, next != .noNextHeader {
      // A jumbogram carries its length in an option (RFC 2675), segmentation offload nowhere.
      let jumbo = next == .hopByHopOptions ? jumboPayloadLength(bytes) : nil
      claimedEnd = jumbo.map { ipv6FixedLength + $0 } ?? bytes.byteCount
      if jumbo == nil, bytes.byteCount > ipv6FixedLength { oddities.insert(.zeroTotalLength) }
    }
    if claimedEnd > bytes.byteCount { oddities.insert(.truncatedCapture) }
    var chain = HeaderChain(proto: next, transportOffset: ipv6FixedLength, oddities: oddities, fragment: nil)
    if HeaderChain.isExtensionHeader(next) { chain = chain.followingIPv6(bytes, claimedEnd: claimedEnd) }
    return NetworkHeader(
      source: IPAddress(v6High: bytes.u64(at: 8), low: bytes.u64(at: 16)),
      destination: IPAddress(v6High: bytes.u64(at: 24), low: bytes.u64(at: 32)), hopLimit: bytes.byte(at: 7),
      claimedEnd: claimedEnd, chain: chain)
  }

  /// The length in a hop-by-hop jumbo payload option (RFC 2675 section 2), nil when there is none to believe.
  @inline(never)
  private static func jumboPayloadLength(_ bytes: RawSpan) -> Int? {
    var offset = ipv6FixedLength + 2
    guard bytes.byteCount >= ipv6FixedLength + 8 else { return nil }
    let end = min(bytes.byteCount, ipv6FixedLength + 8 + 8 * Int(bytes.byte(at: ipv6FixedLength + 1)))
    while offset + 1 < end {
      let kind = bytes.byte(at: offset)
      if kind == 0 {
        offset += 1
        continue
      }
      let length = Int(bytes.byte(at: offset + 1))
      if kind == 0xc2, length == 4, offset + 6 <= end {
        let value = Int(bytes.u32(at: offset + 2))
        // Section 3: a jumbo length that an ordinary packet could carry is an error.
        return value > 65535 ? value : nil
      }
      offset += 2 + length
    }
    return nil
  }
}

extension HeaderChain {
  /// RFC 8200 section 4.1 knows six kinds, one of them twice. Each takes at least eight bytes, so a packet bounds the
  /// walk by itself; the cap keeps the cost of a packet made of nothing else near that of an honest one.
  static let maximumExtensionHeaders = 32

  /// The chain of an IPv6 packet that starts with an extension header.
  @inline(never)
  func followingIPv6(_ bytes: RawSpan, claimedEnd: Int) -> HeaderChain {
    var chain = self
    chain.walkExtensionHeaders(bytes, claimedEnd: claimedEnd)
    return chain
  }

  private mutating func walkExtensionHeaders(_ bytes: RawSpan, claimedEnd: Int) {
    let end = min(claimedEnd, bytes.byteCount)
    var nextHeaderOffset = 6
    var seen = SeenHeaders()
    var count = 0
    while Self.isExtensionHeader(proto) {
      let offset = transportOffset
      // The second fragment header of a chain has no meaning that receivers agree on.
      guard count < Self.maximumExtensionHeaders, end - offset >= 8, !(proto == .fragment && fragment != nil) else {
        oddities.insert(.extensionHeaderOdd)
        return
      }
      var length = 8
      switch proto {
      case .fragment: break
      case .ah: length = Self.authenticationHeaderLength(bytes, at: offset, end: end) ?? .max
      default: length = 8 + 8 * Int(bytes.byte(at: offset + 1))
      }
      guard length <= end - offset else {
        oddities.insert(.extensionHeaderOdd)
        return
      }
      if !seen.accepts(proto, isFirst: count == 0) { oddities.insert(.extensionHeaderOdd) }
      let following = IPProtocol(rawValue: bytes.byte(at: offset))
      switch proto {
      case .hopByHopOptions, .destinationOptions:
        if !Self.optionsAreWellFormed(bytes, from: offset + 2, to: offset + length) {
          oddities.insert(.optionsMalformed)
        }
      case .routing:
        if bytes.byte(at: offset + 3) > 0 { oddities.insert(.sourceRoute) }
      case .fragment:
        fragment = Self.fragmentInfo(
          bytes, at: offset, next: following, nextHeaderOffset: nextHeaderOffset, claimedEnd: claimedEnd)
        if let fragment { oddities.formUnion(fragment.oddities) }
      default: break
      }
      nextHeaderOffset = offset
      transportOffset += length
      proto = following
      count += 1
      // What follows in a later fragment is the middle of something, not a header.
      if let fragment, fragment.offset > 0 { return }
    }
  }

  /// RFC 8200 section 4.5. Nil for an atomic fragment (RFC 6946), which is a whole packet.
  private static func fragmentInfo(
    _ bytes: RawSpan, at offset: Int, next: IPProtocol, nextHeaderOffset: Int, claimedEnd: Int
  ) -> FragmentInfo? {
    let field = bytes.u16(at: offset + 2)
    guard field & 0xfff9 != 0 else { return nil }
    return FragmentInfo(
      identification: bytes.u32(at: offset + 4), offset: field & 0xfff8, moreFragments: field & 1 != 0,
      unfragmentableLength: offset, dataOffset: offset + 8, dataLength: claimedEnd - offset - 8, nextHeader: next,
      nextHeaderOffset: nextHeaderOffset)
  }

  @inline(__always)
  static func isExtensionHeader(_ proto: IPProtocol) -> Bool {
    switch proto {
    case .hopByHopOptions, .routing, .fragment, .ah, .destinationOptions: true
    default: false
    }
  }

  /// Walks type-length-value options (RFC 8200 section 4.2): false when one runs past the header.
  private static func optionsAreWellFormed(_ bytes: RawSpan, from start: Int, to end: Int) -> Bool {
    var offset = start
    while offset < end {
      if bytes.byte(at: offset) == 0 {
        offset += 1
        continue
      }
      guard offset + 1 < end else { return false }
      offset += 2 + Int(bytes.byte(at: offset + 1))
    }
    return offset == end
  }
}

/// Which extension headers went by, for the order and number that RFC 8200 section 4.1 asks for.
private struct SeenHeaders {
  private var destinationOptions = 0
  private var others: Set = []

  private struct Set: OptionSet {
    let rawValue: UInt8
  }

  /// True when `proto` may stand here.
  mutating func accepts(_ proto: IPProtocol, isFirst: Bool) -> Bool {
    let bit: Set
    switch proto {
    case .destinationOptions:
      destinationOptions += 1
      return destinationOptions <= 2
    case .hopByHopOptions:
      if !isFirst { return false }
      bit = Set(rawValue: 1)
    case .routing: bit = Set(rawValue: 2)
    case .fragment: bit = Set(rawValue: 4)
    default: bit = Set(rawValue: 8)
    }
    return others.insert(bit).inserted
  }
}
