/// Finds the IP packet inside a captured frame.
public enum LinkLayer {
  /// Provider networks stack two VLAN tags, odd ones a few more; the cap keeps a frame made of tags cheap.
  static let maximumTags = 8
  /// RFC 3032 sets no limit; deployed stacks stay in single digits.
  static let maximumLabels = 16

  /// The part of `frame` that starts at the IP header, or nil when it carries no IP, or is of an unknown link type.
  ///
  /// Bytes behind the IP packet (padding, a frame check sequence) are not cut off: the IP length does that.
  @_lifetime(copy frame)
  public static func networkPacket(_ frame: RawSpan, linkType: LinkType) -> RawSpan? {
    switch linkType {
    case .ethernet: ethernet(frame)
    case .raw, .rawBSD, .rawOpenBSD, .ipv4, .ipv6: ip(frame, at: 0)
    case .null, .loop: loopback(frame)
    case .linuxSLL: frame.byteCount >= 16 ? etherType(frame.u16(at: 14), frame, at: 16) : nil
    case .linuxSLL2: frame.byteCount >= 20 ? etherType(frame.u16(at: 0), frame, at: 20) : nil
    case .ppp, .pppHDLC: ppp(frame, at: 0)
    case .pppWithDirection: ppp(frame, at: 1)
    case .ciscoHDLC: frame.byteCount >= 4 ? etherType(frame.u16(at: 2), frame, at: 4) : nil
    case .pppEther: pppoe(frame, at: 0)
    case .nflog: nflog(frame)
    default: nil
    }
  }

  /// IEEE 802.3: two addresses and a type, or a length and an LLC header.
  @_lifetime(copy frame)
  private static func ethernet(_ frame: RawSpan) -> RawSpan? {
    guard frame.byteCount >= 14 else { return nil }
    return etherType(frame.u16(at: 12), frame, at: 14)
  }

  /// Follows EtherTypes through tags to IP; `start` is the first byte behind the type.
  @_lifetime(copy frame)
  private static func etherType(_ first: UInt16, _ frame: RawSpan, at start: Int) -> RawSpan? {
    var type = first
    var offset = start
    for _ in 0...maximumTags {
      switch type {
      case 0x0800, 0x86dd: return ip(frame, at: offset)
      case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300:  // IEEE 802.1Q, 802.1ad and what came before it
        guard frame.byteCount - offset >= 4 else { return nil }
        type = frame.u16(at: offset + 2)
        offset += 4
      case 0x8847, 0x8848: return mpls(frame, at: offset)
      case 0x8864: return pppoe(frame, at: offset)
      case 0...1500: return llc(frame, at: offset)
      default: return nil
      }
    }
    return nil
  }

  /// IEEE 802.2: IP by its own SAP, or an EtherType behind a SNAP header with a zero organisation code.
  @_lifetime(copy frame)
  private static func llc(_ frame: RawSpan, at offset: Int) -> RawSpan? {
    guard frame.byteCount - offset >= 3 else { return nil }
    let serviceAccessPoints = frame.u16(at: offset)
    guard frame.byte(at: offset + 2) == 0x03 else { return nil }
    if serviceAccessPoints == 0x0606 { return ip(frame, at: offset + 3) }
    guard serviceAccessPoints == 0xaaaa, frame.byteCount - offset >= 8, frame.u16(at: offset + 3) == 0,
      frame.byte(at: offset + 5) == 0
    else { return nil }
    let type = frame.u16(at: offset + 6)
    // A length here would start LLC anew, without end.
    return type > 1500 ? etherType(type, frame, at: offset + 8) : nil
  }

  /// RFC 3032: labels to the bottom of the stack, then IP, told by its version.
  @_lifetime(copy frame)
  private static func mpls(_ frame: RawSpan, at start: Int) -> RawSpan? {
    var offset = start
    for _ in 0..<maximumLabels {
      guard frame.byteCount - offset >= 4 else { return nil }
      let isBottom = frame.byte(at: offset + 2) & 1 != 0
      offset += 4
      if isBottom { return ip(frame, at: offset) }
    }
    return nil
  }

  /// RFC 2516 section 4: a session packet has code zero; PPP follows the six-byte header.
  @_lifetime(copy frame)
  private static func pppoe(_ frame: RawSpan, at offset: Int) -> RawSpan? {
    guard frame.byteCount - offset >= 6, frame.byte(at: offset + 1) == 0 else { return nil }
    return pppProtocol(frame, at: offset + 6)
  }

  /// RFC 1662 section 3.1: address and control may be left out; Cisco HDLC has other addresses and an EtherType.
  @_lifetime(copy frame)
  private static func ppp(_ frame: RawSpan, at offset: Int) -> RawSpan? {
    guard frame.byteCount - offset >= 2 else { return nil }
    switch frame.u16(at: offset) {
    case 0xff03: return pppProtocol(frame, at: offset + 2)
    case 0x0f00, 0x8f00:
      guard frame.byteCount - offset >= 4 else { return nil }
      return etherType(frame.u16(at: offset + 2), frame, at: offset + 4)
    default: return pppProtocol(frame, at: offset)
    }
  }

  /// RFC 1661 section 2: an odd first byte is a protocol field compressed to one byte.
  @_lifetime(copy frame)
  private static func pppProtocol(_ frame: RawSpan, at offset: Int) -> RawSpan? {
    guard frame.byteCount - offset >= 2 else { return nil }
    let first = frame.byte(at: offset)
    let isCompressed = first & 1 != 0
    let protocolNumber = isCompressed ? UInt16(first) : frame.u16(at: offset)
    let next = offset + (isCompressed ? 1 : 2)
    switch protocolNumber {
    case 0x0021, 0x0057: return ip(frame, at: next)
    case 0x0281, 0x0283: return mpls(frame, at: next)
    default: return nil
    }
  }

  /// Four bytes of address family; IPv6 has another number on every system, and a file may come from any host.
  @_lifetime(copy frame)
  private static func loopback(_ frame: RawSpan) -> RawSpan? {
    guard frame.byteCount >= 4 else { return nil }
    let value = frame.u32(at: 0)
    switch value < 0x1_0000 ? value : value.byteSwapped {
    case 2, 10, 23, 24, 28, 30: return ip(frame, at: 4)
    default: return nil
    }
  }

  /// Linux nfnetlink_log: a four-byte header, then attributes in the host's byte order; number 9 is the packet.
  @_lifetime(copy frame)
  private static func nflog(_ frame: RawSpan) -> RawSpan? {
    guard frame.byteCount >= 4, frame.byte(at: 1) == 0 else { return nil }
    var offset = 4
    while frame.byteCount - offset >= 4 {
      let little = frame.u16(at: offset, swapped: true)
      let big = frame.u16(at: offset)
      // The byte order is not recorded; attribute numbers are small, so the smaller reading of the type tells it.
      let swapped = little < big
      let length = Int(frame.u16(at: offset, swapped: swapped))
      let type = frame.u16(at: offset + 2, swapped: swapped) & 0x7fff
      guard length >= 4, length <= frame.byteCount - offset else { return nil }
      if type == 9 { return ip(frame.extracting(first: offset + length), at: offset + 4) }
      offset += (length + 3) & ~3
    }
    return nil
  }

  /// The rest of `frame` when its first byte is that of an IP header; an empty rest is a packet cut to nothing.
  @_lifetime(copy frame)
  private static func ip(_ frame: RawSpan, at offset: Int) -> RawSpan? {
    guard offset <= frame.byteCount else { return nil }
    if offset < frame.byteCount {
      let version = frame.byte(at: offset) >> 4
      guard version == 4 || version == 6 else { return nil }
    }
    return frame.extracting(droppingFirst: offset)
  }
}
