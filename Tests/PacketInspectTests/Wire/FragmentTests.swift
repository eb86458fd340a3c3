import PacketInspect
import Testing

@Suite("Fragments")
struct FragmentTests {
  @Test("only the first shows ports, all say where their data belongs", arguments: PacketViewTests.pairs)
  func fields(source: Endpoint, destination: Endpoint) throws {
    let whole = PacketBuilder.udp(from: source, to: destination, payload: [UInt8](repeating: 6, count: 100))
    let fragments = try PacketBuilder.fragments(of: whole, size: 48).map { bytes in try PacketSummary(bytes) }
    #expect(fragments.count == 3)
    #expect(fragments.map(\.destinationPort) == [443, 0, 0])
    #expect(fragments.allSatisfy { $0.proto == .udp })
    #expect(fragments.map { $0.fragment?.offset } == [0, 48, 96])
    #expect(fragments.map { $0.fragment?.moreFragments } == [true, true, false])
    #expect(fragments.map { $0.fragment?.dataLength } == [48, 48, 12])
    #expect(fragments.map(\.payload.count) == [40, 48, 12])
    #expect(fragments.allSatisfy { $0.oddities == [] })
    #expect(fragments.allSatisfy { $0.transportChecksum == nil })
    let identification: UInt32 = source.address.isIPv4 ? 0xcafe : 0x0bad_cafe
    #expect(fragments.allSatisfy { $0.fragment?.identification == identification })
  }

  @Test("an atomic fragment is a whole packet")
  func atomic() throws {
    let whole = PacketBuilder.udp(from: "[2001:db8::1]:1", to: "[2001:db8::2]:53", payload: [6, 7])
    let packet = try PacketSummary(PacketBuilder.fragments(of: whole, size: 800)[0])
    #expect(packet.fragment == nil)
    #expect(packet.destinationPort == 53)
    #expect(packet.payload == [6, 7])
    #expect(packet.transportChecksum == true)
    // RFC 8200 section 4.5: the two reserved bits are ignored on reception.
    var reserved = PacketBuilder.fragments(of: whole, size: 800)[0]
    reserved[43] |= 6
    #expect(try PacketSummary(reserved) == packet)
  }

  @Test("a later one is not read for extension headers, whatever its first header was")
  func later() throws {
    var whole = PacketBuilder.udp(from: "[2001:db8::1]:1", to: "[2001:db8::2]:53", payload: [6, 7])
    whole[6] = IPProtocol.destinationOptions.rawValue
    let data: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0] + whole[40...]
    let packet = try PacketSummary(PacketBuilder.fragment(of: whole, offset: 8, more: false, data: data))
    #expect(packet.proto == .destinationOptions)
    #expect(packet.payload == data)
    #expect(packet.destinationPort == 0)
    let first = try PacketSummary(
      PacketBuilder.fragment(of: whole, offset: 0, more: true, data: data + [0, 0, 0, 0, 0, 0]))
    #expect(first.proto == .udp)
    #expect(first.destinationPort == 53)
  }

  @Test(
    "a first fragment that splits the TCP header still shows the ports and is marked", arguments: PacketViewTests.pairs)
  func tiny(source: Endpoint, destination: Endpoint) throws {
    let whole = PacketBuilder.tcp(from: source, to: destination, payload: [1, 2, 3, 4])
    let packet = try PacketSummary(PacketBuilder.fragments(of: whole, size: 8)[0])
    #expect(packet.destinationPort == 443)
    #expect(packet.tcp == nil)
    #expect(packet.oddities == .fragmentOdd)
  }

  @Test("that end beyond 65,535 bytes, are empty or misaligned are marked", arguments: PacketViewTests.pairs)
  func odd(source: Endpoint, destination: Endpoint) throws {
    let whole = PacketBuilder.udp(from: source, to: destination)
    func oddities(offset: Int, more: Bool, count: Int) throws -> WireOddities {
      let data = [UInt8](repeating: 0, count: count)
      return try PacketSummary(PacketBuilder.fragment(of: whole, offset: offset, more: more, data: data)).oddities
    }
    #expect(try oddities(offset: 65528, more: false, count: 7) == [])
    #expect(try oddities(offset: 65528, more: false, count: 8) == .fragmentOdd)
    #expect(try oddities(offset: 8, more: true, count: 0) == .fragmentOdd)
    #expect(try oddities(offset: 8, more: true, count: 9) == .fragmentOdd)
    #expect(try oddities(offset: 8, more: false, count: 9) == [])
  }

  @Test("a second fragment header ends the chain")
  func nested() throws {
    let whole = PacketBuilder.udp(from: "[2001:db8::1]:1", to: "[2001:db8::2]:53", payload: [6, 7])
    let packet = try PacketSummary(
      PacketBuilder.inserting([(.fragment, [0, 0, 1, 0, 0, 0, 1]), (.fragment, [0, 0, 1, 0, 0, 0, 2])], into: whole))
    #expect(packet.proto == .fragment)
    #expect(packet.fragment?.identification == 1)
    #expect(packet.oddities.contains(.extensionHeaderOdd))
  }
}
