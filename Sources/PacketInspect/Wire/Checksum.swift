/// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.
public struct InternetChecksum: Sendable {
  private var sum: UInt64 = 0

  /// A checksum of nothing.
  public init() {}

  /// Adds `bytes`, an odd last byte padded with zero: only the last piece of a message may have an odd length.
  public mutating func add(_ bytes: RawSpan) {
    let count = bytes.byteCount
    var offset = 0
    var total: UInt64 = 0
    // 32-bit words into 64 bits: carries cannot be lost below sixteen gigabytes.
    while offset + 8 <= count {
      let word = bytes.u64(at: offset)
      total &+= (word >> 32) &+ (word & 0xffff_ffff)
      offset += 8
    }
    while offset + 2 <= count {
      total &+= UInt64(bytes.u16(at: offset))
      offset += 2
    }
    if offset < count { total &+= UInt64(bytes.byte(at: offset)) << 8 }
    sum &+= total
  }

  /// Adds a 32-bit value, host byte order.
  public mutating func add(_ value: UInt32) { sum &+= UInt64(value) }

  /// Adds an address, as pseudo-headers do.
  public mutating func add(_ address: IPAddress) {
    sum &+= (address.high >> 32) &+ (address.high & 0xffff_ffff)
    sum &+= (address.low >> 32) &+ (address.low & 0xffff_ffff)
  }

  /// The checksum to put in a header whose checksum field was summed as zero.
  public var value: UInt16 { ~folded }

  /// True when what was summed included a right checksum.
  public var isValid: Bool { folded == 0xffff }

  private var folded: UInt16 {
    var rest = sum
    while rest > 0xffff { rest = (rest & 0xffff) &+ (rest >> 16) }
    return UInt16(truncatingIfNeeded: rest)
  }
}

extension PacketView {
  /// True when the IPv4 header's checksum is right (RFC 791 section 3.1), nil for IPv6 and for a header cut short.
  ///
  /// Not part of the parse: the kernel has checked it before a packet is queued.
  public static func headerChecksumIsValid(_ bytes: RawSpan) -> Bool? {
    guard bytes.byteCount >= NetworkHeader.ipv4FixedLength, bytes.byte(at: 0) >> 4 == 4 else { return nil }
    let length = Int(bytes.byte(at: 0) & 0x0f) * 4
    guard length >= NetworkHeader.ipv4FixedLength, length <= bytes.byteCount else { return nil }
    var checksum = InternetChecksum()
    checksum.add(bytes.extracting(first: length))
    return checksum.isValid
  }

  /// True when the TCP, UDP or ICMP checksum is right, false when a receiver would drop the packet for it.
  ///
  /// `bytes` are those the view was parsed from. Nil when it cannot be known: a fragment, a cut packet, a source
  /// route (whose pseudo-header names another destination), a length of zero from offload, another protocol. A UDP
  /// checksum of zero means "none" in IPv4 (RFC 768) and is forbidden in IPv6 (RFC 8200 section 8.1).
  public func transportChecksumIsValid(_ bytes: RawSpan) -> Bool? {
    let unknown: WireOddities = [.truncatedCapture, .zeroTotalLength, .sourceRoute]
    guard fragment == nil, oddities.isDisjoint(with: unknown), transportOffset <= claimedLength,
      claimedLength <= bytes.byteCount
    else { return nil }
    var message = bytes.extracting(transportOffset..<claimedLength)
    var checksum = InternetChecksum()
    switch proto {
    case .tcp where tcp != nil, .icmpv6 where icmp != nil: break
    case .icmp where icmp != nil:
      checksum.add(message)
      return checksum.isValid
    case .udp where message.byteCount >= UDPExtent.headerLength:
      if message.u16(at: 6) == 0 { return source.isIPv4 }
      let field = Int(message.u16(at: 4))
      if field != 0 {
        guard field >= UDPExtent.headerLength, field <= message.byteCount else { return false }
        message = message.extracting(first: field)
      }
    default: return nil
    }
    checksum.add(source)
    checksum.add(destination)
    checksum.add(UInt32(truncatingIfNeeded: message.byteCount))
    checksum.add(UInt32(proto.rawValue))
    checksum.add(message)
    return checksum.isValid
  }
}
