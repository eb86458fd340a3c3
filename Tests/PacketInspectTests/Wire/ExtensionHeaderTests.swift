import PacketInspect
import Testing

@Suite("IPv6 extension headers")
struct ExtensionHeaderTests {
  static let udp = PacketBuilder.udp(from: "[2001:db8::1]:5353", to: "[2001:db8::2]:53", payload: [1, 2, 3])
  static let padding: [UInt8] = [0, 1, 4, 0, 0, 0, 0]
  static let authentication: [UInt8] = [4, 0, 0] + [UInt8](repeating: 9, count: 20)

  private func parse(_ extensions: [(proto: IPProtocol, body: [UInt8])]) throws -> PacketSummary {
    try PacketSummary(PacketBuilder.inserting(extensions, into: Self.udp))
  }

  @Test("are followed to the transport in the recommended order")
  func order() throws {
    let packet = try parse([
      (.hopByHopOptions, Self.padding), (.destinationOptions, Self.padding), (.routing, [0, 2, 0, 0, 0, 0, 0]),
      (.fragment, [0, 0, 0, 0, 0, 0, 1]), (.ah, Self.authentication),
      (.destinationOptions, [1, 1, 12] + [UInt8](repeating: 0, count: 12)),
    ])
    #expect(packet.proto == .udp)
    #expect(packet.destinationPort == 53)
    #expect(packet.payload == [1, 2, 3])
    #expect(packet.oddities == [])
    #expect(packet.fragment == nil)
    #expect(packet.transportChecksum == true)
  }

  @Test("are followed but marked in an order or number that RFC 8200 rules out")
  func disorder() throws {
    let chains: [[(proto: IPProtocol, body: [UInt8])]] = [
      [(.destinationOptions, Self.padding), (.hopByHopOptions, Self.padding)],
      [(.hopByHopOptions, Self.padding), (.hopByHopOptions, Self.padding)],
      [(.routing, [0, 2, 0, 0, 0, 0, 0]), (.routing, [0, 2, 0, 0, 0, 0, 0])],
      [(.ah, Self.authentication), (.ah, Self.authentication)],
      Array(repeating: (.destinationOptions, Self.padding), count: 3),
    ]
    for chain in chains {
      let packet = try parse(chain)
      #expect(packet.destinationPort == 53)
      #expect(packet.oddities == .extensionHeaderOdd)
    }
  }

  @Test("mark a routing header that has segments left, because the destination is not the last")
  func routing() throws {
    let body: [UInt8] = [2, 2, 1, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 16)
    let packet = try parse([(.routing, body)])
    #expect(packet.oddities == .sourceRoute)
    #expect(packet.destinationPort == 53)
    #expect(packet.transportChecksum == nil)
  }

  @Test("mark options that run past their header")
  func options() throws {
    for proto in [IPProtocol.hopByHopOptions, .destinationOptions] {
      for body: [UInt8] in [[0, 1, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1], [0, 5, 255, 0, 0, 0, 0]] {
        let packet = try parse([(proto, body)])
        #expect(packet.oddities == .optionsMalformed)
        #expect(packet.destinationPort == 53)
      }
    }
  }

  @Test("are followed up to a cap, and the protocol beyond it is the header itself")
  func cap() throws {
    let many = try parse(Array(repeating: (.destinationOptions, Self.padding), count: 32))
    #expect(many.destinationPort == 53)
    let tooMany = try parse(Array(repeating: (.destinationOptions, Self.padding), count: 33))
    #expect(tooMany.proto == .destinationOptions)
    #expect(tooMany.destinationPort == 0)
    #expect(tooMany.oddities.contains(.extensionHeaderOdd))
    #expect(tooMany.payload.count == 8 + 11)
  }

  @Test("that run past the packet end the chain without losing the addresses")
  func overrun() throws {
    for proto in [IPProtocol.hopByHopOptions, .destinationOptions, .routing, .ah] {
      let packet = try parse([(proto, [200, 1, 4, 0, 0, 0, 0])])
      #expect(packet.proto == proto)
      #expect(packet.sourcePort == 0)
      #expect(packet.oddities == .extensionHeaderOdd)
      #expect(packet.destination == IPAddress("2001:db8::2"))
    }
  }

  @Test("do not hide that an Authentication Header is skipped in IPv4 too")
  func ipv4() throws {
    let udp = PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:53", payload: [4])
    let inner = Array(udp[20...])
    let source = IPAddress(v4: 0x0a00_0001)
    let destination = IPAddress(v4: 0x0a00_0002)
    let header = [IPProtocol.udp.rawValue] + Self.authentication
    let packet = try PacketSummary(PacketBuilder.ip(from: source, to: destination, .ah, header + inner))
    #expect(packet.proto == .udp)
    #expect(packet.destinationPort == 53)
    #expect(packet.payload == [4])
    let broken = try PacketSummary(PacketBuilder.ip(from: source, to: destination, .ah, [17, 90] + inner))
    #expect(broken.proto == .ah)
    #expect(broken.oddities == .extensionHeaderOdd)
  }
}
