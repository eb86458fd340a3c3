import PacketInspect
import Testing

@Suite("PacketView")
struct PacketViewTests {
  static let pairs: [(Endpoint, Endpoint)] = [
    ("10.0.0.1:4000", "192.0.2.7:443"), ("[2001:db8::1]:4000", "[2001:db8:ffff::7]:443"),
  ]

  @Test("reads a TCP segment in both families", arguments: pairs)
  func tcp(source: Endpoint, destination: Endpoint) throws {
    let packet = try PacketSummary(
      PacketBuilder.tcp(
        from: source, to: destination, flags: [.psh, .ack], sequence: 0xdead_beef, acknowledgement: 0x0102_0304,
        window: 512, options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], payload: [7, 8, 9]))
    #expect(packet.source == source.address)
    #expect(packet.destination == destination.address)
    #expect(packet.proto == .tcp)
    #expect(packet.sourcePort == 4000)
    #expect(packet.destinationPort == 443)
    #expect(packet.tcp?.sequence == 0xdead_beef)
    #expect(packet.tcp?.acknowledgement == 0x0102_0304)
    #expect(packet.tcp?.flags == [.psh, .ack])
    #expect(packet.tcp?.window == 512)
    #expect(packet.payload == [7, 8, 9])
    #expect(packet.claimedPayloadLength == 3)
    #expect(packet.fragment == nil)
    #expect(packet.icmp == nil)
    #expect(packet.oddities == [])
    #expect(packet.transportChecksum == true)
  }

  @Test("reads a UDP datagram in both families", arguments: pairs)
  func udp(source: Endpoint, destination: Endpoint) throws {
    let packet = try PacketSummary(PacketBuilder.udp(from: source, to: destination, payload: [1, 2, 3, 4, 5]))
    #expect(packet.proto == .udp)
    #expect(packet.sourcePort == 4000)
    #expect(packet.destinationPort == 443)
    #expect(packet.payload == [1, 2, 3, 4, 5])
    #expect(packet.oddities == [])
    #expect(packet.transportChecksum == true)
  }

  @Test("reads an echo request in both families and no identifier elsewhere", arguments: pairs)
  func icmp(source: Endpoint, destination: Endpoint) throws {
    func message(_ type: UInt8) throws -> PacketSummary {
      try PacketSummary(
        PacketBuilder.icmp(
          from: source.address, to: destination.address, type: type, code: 1, identifier: 77, sequence: 3,
          payload: [1, 2]))
    }
    let echo = try message(source.address.isIPv4 ? 8 : 128)
    #expect(echo.icmp?.type == (source.address.isIPv4 ? 8 : 128))
    #expect(echo.icmp?.code == 1)
    #expect(echo.icmp?.identifier == 77)
    #expect(echo.icmp?.sequence == 3)
    #expect(echo.payload == [1, 2])
    #expect(echo.sourcePort == 0)
    #expect(echo.transportChecksum == true)
    let unreachable = try message(source.address.isIPv4 ? 3 : 1)
    #expect(unreachable.icmp?.identifier == nil)
  }

  @Test("shows SCTP's ports and leaves its bytes alone, and gives no ports to ESP")
  func others() throws {
    let (source, destination) = Self.pairs[0]
    let body: [UInt8] = [0x0f, 0xa0, 0x01, 0xbb] + [UInt8](repeating: 5, count: 12)
    func packet(_ proto: IPProtocol) throws -> PacketSummary {
      try PacketSummary(PacketBuilder.ip(from: source.address, to: destination.address, proto, body))
    }
    let sctp = try packet(.sctp)
    #expect(sctp.sourcePort == 4000)
    #expect(sctp.destinationPort == 443)
    #expect(sctp.payload == body)
    let esp = try packet(.esp)
    #expect(esp.proto == .esp)
    #expect(esp.sourcePort == 0)
    #expect(esp.payload == body)
    #expect(esp.transportChecksum == nil)
  }

  @Test("does not unwrap a tunnel: the outer destination counts")
  func tunnel() throws {
    let (source, destination) = Self.pairs[0]
    let inner = PacketBuilder.udp(from: "10.9.9.9:1", to: "10.8.8.8:2", payload: [1])
    let packet = try PacketSummary(PacketBuilder.ip(from: source.address, to: destination.address, .ipv4, inner))
    #expect(packet.proto == .ipv4)
    #expect(packet.destination == destination.address)
    #expect(packet.payload == inner)
  }

  @Test("cuts link-layer padding off the payload", arguments: pairs)
  func padding(source: Endpoint, destination: Endpoint) throws {
    let packet = PacketBuilder.tcp(from: source, to: destination, payload: [1])
    let padded = try PacketSummary(packet + [0, 0, 0, 0, 0])
    #expect(padded.payload == [1])
    #expect(try padded == PacketSummary(packet))
  }

  @Test("walks IPv4 options and marks source routes and broken lists")
  func options() throws {
    let (source, destination) = Self.pairs[0]
    let udp = Array(PacketBuilder.udp(from: source, to: destination, payload: [9]).dropFirst(20))
    func packet(_ options: [UInt8]) throws -> PacketSummary {
      let bytes = PacketBuilder.ip(from: source.address, to: destination.address, .udp, udp, options: options)
      #expect(PacketView.headerChecksumIsValid(bytes.rawSpan) == true)
      return try PacketSummary(bytes)
    }
    let routerAlert = try packet([148, 4, 0, 0])
    #expect(routerAlert.oddities == [])
    #expect(routerAlert.destinationPort == 443)
    #expect(routerAlert.payload == [9])
    #expect(try packet([1, 131, 7, 4, 203, 0, 113, 1]).oddities == .sourceRoute)
    #expect(try packet([137, 7, 4, 203, 0, 113, 1]).oddities == .sourceRoute)
    for broken: [UInt8] in [[148, 0, 0, 0], [148, 1, 0, 0], [148, 5, 0, 0], [1, 1, 1, 148]] {
      let odd = try packet(broken)
      #expect(odd.oddities == .optionsMalformed, "\(broken)")
      #expect(odd.payload == [9])
    }
    #expect(try packet([0, 9, 9, 9]).oddities == [])
  }

  @Test("marks what is odd about TCP flags and options")
  func tcpOddities() throws {
    let (source, destination) = Self.pairs[0]
    func oddities(_ flags: TCPFlags, options: [UInt8] = [], payload: [UInt8] = []) throws -> WireOddities {
      try PacketSummary(
        PacketBuilder.tcp(from: source, to: destination, flags: flags, options: options, payload: payload)
      ).oddities
    }
    #expect(try oddities([.syn], options: [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2]) == [])
    #expect(try oddities([.rst]) == [])
    #expect(try oddities([.fin]) == [])
    #expect(try oddities([.syn], payload: [1]) == .synWithData)
    #expect(try oddities([.syn, .fin]) == .oddFlags)
    #expect(try oddities([.syn, .rst]) == .oddFlags)
    #expect(try oddities([]) == .oddFlags)
    #expect(try oddities([.ack, .urg]) == .urgentData)
    #expect(try oddities([.ack], options: [8, 0, 1, 1]) == .optionsMalformed)
    #expect(try oddities([.ack], options: [8, 1, 1, 1]) == .optionsMalformed)
    #expect(try oddities([.ack], options: [8, 10, 1, 1]) == .optionsMalformed)
    #expect(try oddities([.ack], options: [1, 1, 1, 8]) == .optionsMalformed)
    #expect(try oddities([.ack], options: [253, 4, 1, 1]) == [])
  }

  @Test("refuses what is neither IPv4 nor IPv6")
  func versions() {
    for version: UInt8 in 0..<16 where version != 4 && version != 6 {
      #expect(throws: ParseError.notThisProtocol) {
        try PacketSummary([version << 4 | 5] + [UInt8](repeating: 0, count: 60))
      }
    }
    #expect(throws: ParseError.truncated) { try PacketSummary([]) }
  }
}
