/// One IP packet read in a single pass, without a copy: addresses, ports, the few transport fields that flows need,
/// and the payload, confined by what the headers claim and by the bytes that are there.
///
/// Tunnels are not unwrapped: the outer addresses are the destination that the packet reaches.
public struct PacketView: ~Escapable {
  /// The source address as on the wire.
  public let source: IPAddress
  /// The destination address as on the wire; with `sourceRoute` not the last one.
  public let destination: IPAddress
  /// The protocol after extension headers, or the extension header at which the chain could not be followed.
  public let proto: IPProtocol
  /// The source port; 0 when the protocol has none or the packet is a later fragment.
  public let sourcePort: UInt16
  /// The destination port; 0 when the protocol has none or the packet is a later fragment.
  public let destinationPort: UInt16
  /// Hops left (IPv4 time to live, IPv6 hop limit).
  public let hopLimit: UInt8
  /// TCP's fields; nil for other protocols and for fragments that do not hold the fixed header.
  public let tcp: TCPFields?
  /// ICMP's fields; nil for other protocols and later fragments.
  public let icmp: ICMPFields?
  /// What follows the transport header, padding cut; for protocols not read here all that follows IP.
  public let payload: RawSpan
  /// Length in bytes that the headers claim for `payload`: more than it holds when the packet was cut or lies.
  public let claimedPayloadLength: Int
  /// Non-nil for a part of a fragmented datagram, not for an atomic fragment (RFC 6946).
  public let fragment: FragmentInfo?
  /// What is odd about the headers.
  public let oddities: WireOddities
  /// Offset in bytes of the transport header from the start of the IP header.
  public let transportOffset: Int
  /// Length in bytes of the whole packet as the IP header claims it.
  public let claimedLength: Int

  /// Reads the packet that starts at the first of `bytes`.
  ///
  /// Throws `notThisProtocol` when it is neither IPv4 nor IPv6, `truncated` or `badLength` when the fixed IP header
  /// is not there, and for a whole TCP, UDP or ICMP packet without its fixed header: `truncated` if the capture cut
  /// it, `badLength` if the IP header leaves no room for it. Everything else is read as far as it goes and marked.
  @_lifetime(copy bytes)
  public static func parse(_ bytes: RawSpan) throws(ParseError) -> PacketView {
    let network = try NetworkHeader.parse(bytes)
    let end = min(network.claimedEnd, bytes.byteCount)
    let segment = bytes.extracting(min(network.chain.transportOffset, end)..<end)
    var transport = Transport(segment, claimedLength: max(0, network.claimedEnd - network.chain.transportOffset))
    if network.chain.fragment.map({ $0.offset == 0 }) ?? true { try transport.read(segment, network) }
    return PacketView(network, transport, payload: segment.extracting(transport.payload))
  }

  @_lifetime(copy payload)
  @inline(__always)
  private init(_ network: NetworkHeader, _ transport: Transport, payload: RawSpan) {
    source = network.source
    destination = network.destination
    proto = network.chain.proto
    sourcePort = transport.sourcePort
    destinationPort = transport.destinationPort
    hopLimit = network.hopLimit
    tcp = transport.tcp
    icmp = transport.icmp
    self.payload = payload
    claimedPayloadLength = transport.claimedPayloadLength
    fragment = network.chain.fragment
    oddities = network.chain.oddities.union(transport.oddities)
    transportOffset = network.chain.transportOffset
    claimedLength = network.claimedEnd
  }
}

/// What the transport header says. Offsets are bytes from its start.
private struct Transport {
  var sourcePort: UInt16 = 0
  var destinationPort: UInt16 = 0
  var tcp: TCPFields?
  var icmp: ICMPFields?
  var payload: Range<Int>
  var claimedPayloadLength: Int
  var oddities: WireOddities = []

  /// Nothing but payload: `segment`, which the IP header claims to have `claimedLength` bytes.
  @inline(__always)
  init(_ segment: RawSpan, claimedLength: Int) {
    payload = 0..<segment.byteCount
    claimedPayloadLength = claimedLength
  }

  /// Reads the header at the start of `segment`, the bytes present behind the IP headers of a packet or a first
  /// fragment.
  @inline(__always)
  mutating func read(_ segment: RawSpan, _ network: NetworkHeader) throws(ParseError) {
    let claimed = claimedPayloadLength
    switch network.chain.proto {
    case .tcp:
      guard try hasHeader(TCPFields.fixedLength, segment, network, claimed: claimed) else { return }
      readTCP(segment, claimed: claimed)
    case .udp:
      guard try hasHeader(UDPExtent.headerLength, segment, network, claimed: claimed) else { return }
      readPorts(segment)
      let extent = UDPExtent(segment, ipPayloadLength: claimed, isFragment: network.chain.fragment != nil)
      if extent.lies { oddities.insert(.lyingLength) }
      setPayload(
        from: UDPExtent.headerLength, to: min(extent.length, segment.byteCount), claimedEnd: extent.claimedLength)
    case .icmp where network.source.isIPv4, .icmpv6 where !network.source.isIPv4:
      guard try hasHeader(ICMPFields.minimumLength, segment, network, claimed: claimed) else { return }
      icmp = ICMPFields(segment, isIPv4: network.source.isIPv4)
      setPayload(from: ICMPFields.headerLength, to: segment.byteCount, claimedEnd: claimed)
    case .sctp, .dccp, .udpLite:
      readPorts(segment)
    default: break
    }
  }

  /// True when `segment` holds the `length` bytes of a fixed header. A fragment may split it, which is marked;
  /// elsewhere its absence throws.
  @inline(__always)
  private mutating func hasHeader(
    _ length: Int, _ segment: RawSpan, _ network: NetworkHeader, claimed: Int
  ) throws(ParseError) -> Bool {
    if segment.byteCount >= length { return true }
    guard network.chain.fragment != nil else { throw claimed >= length ? .truncated : .badLength }
    oddities.insert(.fragmentOdd)
    if network.chain.proto == .tcp || network.chain.proto == .udp { readPorts(segment) }
    return false
  }

  @inline(__always)
  private mutating func readPorts(_ segment: RawSpan) {
    guard segment.byteCount >= 4 else { return }
    sourcePort = segment.u16(at: 0)
    destinationPort = segment.u16(at: 2)
  }

  @inline(__always)
  private mutating func readTCP(_ segment: RawSpan, claimed: Int) {
    readPorts(segment)
    let fields = TCPFields(segment)
    tcp = fields
    let headerLength = Int(segment.byte(at: 12) >> 4) * 4
    if headerLength < TCPFields.fixedLength || headerLength > claimed {
      // Every receiver drops such a segment: what lies behind must not be mistaken for stream data.
      oddities.insert(.lyingLength)
      payload = segment.byteCount..<segment.byteCount
      claimedPayloadLength = 0
    } else {
      if headerLength > TCPFields.fixedLength,
        !TCPFields.optionsAreWellFormed(segment, headerLength: headerLength)
      {
        oddities.insert(.optionsMalformed)
      }
      setPayload(from: headerLength, to: segment.byteCount, claimedEnd: claimed)
    }
    oddities.formUnion(fields.oddities(hasPayload: claimedPayloadLength > 0))
  }

  @inline(__always)
  private mutating func setPayload(from start: Int, to end: Int, claimedEnd: Int) {
    payload = min(start, end)..<end
    claimedPayloadLength = max(0, claimedEnd - start)
  }
}
