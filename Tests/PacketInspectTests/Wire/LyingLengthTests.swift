import PacketInspect
import Testing

@Suite("Lying lengths")
struct LyingLengthTests {
  static let pairs = PacketViewTests.pairs

  @Test("a cut packet is marked and says how much payload was claimed", arguments: pairs)
  func cut(source: Endpoint, destination: Endpoint) throws {
    let whole = PacketBuilder.tcp(from: source, to: destination, payload: [UInt8](repeating: 1, count: 100))
    let packet = try PacketSummary(Array(whole.dropLast(60)))
    #expect(packet.oddities == .truncatedCapture)
    #expect(packet.payload.count == 40)
    #expect(packet.claimedPayloadLength == 100)
    #expect(packet.destinationPort == 443)
    #expect(packet.transportChecksum == nil)
  }

  @Test("a packet cut inside its fixed transport header is truncated", arguments: pairs)
  func cutHeader(source: Endpoint, destination: Endpoint) {
    let headerLength = source.address.isIPv4 ? 20 : 40
    let tcp = PacketBuilder.tcp(from: source, to: destination)
    #expect(throws: ParseError.truncated) { try PacketSummary(Array(tcp.prefix(headerLength + 19))) }
    let udp = PacketBuilder.udp(from: source, to: destination)
    #expect(throws: ParseError.truncated) { try PacketSummary(Array(udp.prefix(headerLength + 7))) }
  }

  @Test("an IP packet with no room for its transport header has a bad length", arguments: pairs)
  func noRoom(source: Endpoint, destination: Endpoint) {
    for (proto, minimum) in [(IPProtocol.tcp, 20), (.udp, 8), (source.address.isIPv4 ? .icmp : .icmpv6, 4)] {
      let body = [UInt8](repeating: 0, count: minimum - 1)
      let bytes = PacketBuilder.ip(from: source.address, to: destination.address, proto, body)
      #expect(throws: ParseError.badLength) { try PacketSummary(bytes) }
    }
  }

  @Test("an IPv4 total length of zero takes every byte, as segmentation offload leaves it")
  func zeroTotalLength() throws {
    let (source, destination) = Self.pairs[0]
    var bytes = PacketBuilder.tcp(from: source, to: destination, payload: [UInt8](repeating: 3, count: 500))
    PacketBuilder.put(0, in: &bytes, at: 2)
    let packet = try PacketSummary(bytes)
    #expect(packet.oddities == .zeroTotalLength)
    #expect(packet.payload.count == 500)
    #expect(packet.transportChecksum == nil)
  }

  @Test("an IPv6 payload length of zero takes every byte, but none when there is no next header")
  func zeroPayloadLength() throws {
    let (source, destination) = Self.pairs[1]
    var bytes = PacketBuilder.tcp(from: source, to: destination, payload: [UInt8](repeating: 3, count: 500))
    PacketBuilder.put(0, in: &bytes, at: 4)
    #expect(try PacketSummary(bytes).payload.count == 500)
    #expect(try PacketSummary(bytes).oddities == .zeroTotalLength)
    bytes[6] = IPProtocol.noNextHeader.rawValue
    #expect(try PacketSummary(bytes).payload == [])
    #expect(try PacketSummary(bytes).oddities == [])
  }

  @Test("an IPv4 total length below the header leaves no payload")
  func totalBelowHeader() throws {
    let (source, destination) = Self.pairs[0]
    var bytes = PacketBuilder.ip(from: source.address, to: destination.address, .gre, [1, 2, 3])
    PacketBuilder.put(19, in: &bytes, at: 2)
    let packet = try PacketSummary(bytes)
    #expect(packet.oddities == .lyingLength)
    #expect(packet.payload == [])
    #expect(packet.destination == destination.address)
  }

  @Test("an IPv4 header length below five words cannot be read, one beyond the bytes is a cut packet")
  func headerLength() throws {
    let (source, destination) = Self.pairs[0]
    var bytes = PacketBuilder.ip(from: source.address, to: destination.address, .gre, [])
    bytes[0] = 0x44
    #expect(throws: ParseError.badLength) { try PacketSummary(bytes) }
    bytes[0] = 0x4f
    PacketBuilder.put(60, in: &bytes, at: 2)
    #expect(try PacketSummary(bytes).oddities.contains(.truncatedCapture))
    #expect(try PacketSummary(bytes).payload == [])
  }

  @Test("a TCP data offset that no receiver accepts is marked and hides nothing behind it", arguments: pairs)
  func dataOffset(source: Endpoint, destination: Endpoint) throws {
    let tcpOffset = source.address.isIPv4 ? 20 : 40
    for words: UInt8 in [0, 4, 15] {
      var bytes = PacketBuilder.tcp(from: source, to: destination, payload: [1, 2, 3, 4])
      bytes[tcpOffset + 12] = words << 4
      let packet = try PacketSummary(bytes)
      #expect(packet.oddities == .lyingLength)
      #expect(packet.payload == [])
      #expect(packet.destinationPort == 443)
      #expect(packet.tcp?.sequence == 1000)
    }
  }

  @Test("a UDP length shorter than the IP payload confines the payload", arguments: pairs)
  func shortUDP(source: Endpoint, destination: Endpoint) throws {
    let short = try PacketSummary(
      PacketBuilder.udp(from: source, to: destination, length: 10, payload: [1, 2, 3, 4]))
    #expect(short.payload == [1, 2])
    #expect(short.oddities == .lyingLength)
    let impossible = try PacketSummary(
      PacketBuilder.udp(from: source, to: destination, length: 7, payload: [1, 2, 3, 4]))
    #expect(impossible.payload == [])
    #expect(impossible.oddities == .lyingLength)
    #expect(impossible.transportChecksum == false)
  }

  @Test("a UDP length beyond the IP payload is confined by it", arguments: pairs)
  func longUDP(source: Endpoint, destination: Endpoint) throws {
    let packet = try PacketSummary(
      PacketBuilder.udp(from: source, to: destination, length: 1000, payload: [1, 2, 3, 4]))
    #expect(packet.payload == [1, 2, 3, 4])
    #expect(packet.claimedPayloadLength == 992)
    #expect(packet.oddities == .lyingLength)
    #expect(packet.transportChecksum == false)
  }

  @Test("a UDP length of zero takes all, and is a lie outside a jumbogram")
  func zeroUDP() throws {
    let (source, destination) = Self.pairs[1]
    let small = try PacketSummary(PacketBuilder.udp(from: source, to: destination, length: 0, payload: [1, 2]))
    #expect(small.payload == [1, 2])
    #expect(small.oddities == .lyingLength)

    let payload = [UInt8](repeating: 4, count: 70000)
    let datagram = PacketBuilder.udp(from: source, to: destination, length: 0, payload: payload)
    let option: [UInt8] = [0, 0xc2, 4] + PacketBuilder.be32(UInt32(8 + 8 + payload.count))
    var jumbo = Array(datagram[..<40]) + [IPProtocol.udp.rawValue] + option + datagram[40...]
    jumbo[6] = IPProtocol.hopByHopOptions.rawValue
    PacketBuilder.put(0, in: &jumbo, at: 4)
    let packet = try PacketSummary(jumbo)
    #expect(packet.payload.count == 70000)
    #expect(packet.oddities == [])
    #expect(packet.transportChecksum == true)
    #expect(try PacketSummary(jumbo + [1, 2, 3]).payload.count == 70000)
    #expect(try PacketSummary(Array(jumbo.dropLast())).oddities == .truncatedCapture)
  }

  @Test("a jumbo option that an ordinary length could carry is not believed")
  func smallJumbo() throws {
    let (source, destination) = Self.pairs[1]
    var bytes = PacketBuilder.inserting(
      [(.hopByHopOptions, [0, 0xc2, 4, 0, 0, 0, 1])],
      into: PacketBuilder.udp(from: source, to: destination, payload: [1, 2, 3]))
    PacketBuilder.put(0, in: &bytes, at: 4)
    let packet = try PacketSummary(bytes)
    #expect(packet.payload == [1, 2, 3])
    #expect(packet.oddities == .zeroTotalLength)
  }
}
