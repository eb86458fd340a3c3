import PacketInspect
import Testing

@Suite("Internet checksum")
struct ChecksumTests {
  @Test("agrees with the worked example of RFC 1071 section 3")
  func example() {
    var checksum = InternetChecksum()
    checksum.add(([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7] as [UInt8]).rawSpan)
    #expect(checksum.value == ~0xddf2)
  }

  @Test("pads an odd last byte and carries around, as a plain 16-bit sum does", arguments: 0..<40)
  func plainSum(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: 251 &- $0 &* 7) }
    var sum: UInt32 = 0
    for index in stride(from: 0, to: count, by: 2) {
      sum += UInt32(bytes[index]) << 8 | (index + 1 < count ? UInt32(bytes[index + 1]) : 0)
      if sum > 0xffff { sum -= 0xffff }
    }
    var checksum = InternetChecksum()
    checksum.add(bytes.rawSpan)
    #expect(checksum.value == ~UInt16(sum))
  }

  @Test("finds every single flipped bit behind the IP header", arguments: PacketViewTests.pairs)
  func flips(source: Endpoint, destination: Endpoint) throws {
    let start = source.address.isIPv4 ? 20 : 40
    let packets = [
      PacketBuilder.tcp(from: source, to: destination, payload: [1, 2, 3]),
      PacketBuilder.udp(from: source, to: destination, payload: [1, 2, 3]),
      PacketBuilder.icmp(from: source.address, to: destination.address, type: 8, payload: [1, 2, 3]),
    ]
    for packet in packets {
      #expect(try PacketSummary(packet).transportChecksum == true)
      for bit in start * 8..<packet.count * 8 {
        var flipped = packet
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(try PacketSummary(flipped).transportChecksum == false, "bit \(bit)")
      }
    }
  }

  @Test("of zero means none in IPv4 UDP and is wrong in IPv6")
  func zero() throws {
    for (source, destination) in PacketViewTests.pairs {
      var packet = PacketBuilder.udp(from: source, to: destination, payload: [1])
      PacketBuilder.put(0, in: &packet, at: (source.address.isIPv4 ? 20 : 40) + 6)
      #expect(try PacketSummary(packet).transportChecksum == source.address.isIPv4)
    }
  }

  @Test("of the IPv4 header is checked apart")
  func header() {
    var packet = PacketBuilder.udp(from: "10.0.0.1:1", to: "10.0.0.2:2")
    #expect(PacketView.headerChecksumIsValid(packet.rawSpan) == true)
    packet[8] &+= 1
    #expect(PacketView.headerChecksumIsValid(packet.rawSpan) == false)
    #expect(PacketView.headerChecksumIsValid(packet.rawSpan.extracting(first: 19)) == nil)
    #expect(PacketView.headerChecksumIsValid(PacketBuilder.udp(from: "[::1]:1", to: "[::2]:2").rawSpan) == nil)
  }
}
