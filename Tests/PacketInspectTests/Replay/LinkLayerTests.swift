import PacketInspect
import Testing

@Suite("Link layers")
struct LinkLayerTests {
  static let packets = [
    PacketBuilder.udp(from: "10.0.0.1:1", to: "10.0.0.2:53", payload: [1, 2]),
    PacketBuilder.udp(from: "[2001:db8::1]:1", to: "[2001:db8::2]:53", payload: [1, 2]),
  ]
  static let macs: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]

  private func network(_ frame: [UInt8], _ linkType: LinkType) -> [UInt8]? {
    LinkLayer.networkPacket(frame.rawSpan, linkType: linkType)?.array()
  }

  /// Every way to carry `packet` that is known here.
  static func frames(_ packet: [UInt8]) -> [(LinkType, [UInt8])] {
    let isIPv4 = packet[0] >> 4 == 4
    let etherType: [UInt8] = isIPv4 ? [0x08, 0x00] : [0x86, 0xdd]
    let ppp: [UInt8] = isIPv4 ? [0x00, 0x21] : [0x00, 0x57]
    let label: [UInt8] = [0, 1, 0, 64]
    let bottom: [UInt8] = [0, 1, 1, 64]
    let session: [UInt8] = [0x11, 0, 0, 7] + PacketBuilder.be16(UInt16(packet.count + 2))
    let snap: [UInt8] = [0xaa, 0xaa, 3, 0, 0, 0]
    let length = PacketBuilder.be16(UInt16(packet.count + 8))
    let sll: [UInt8] = [0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0]
    let family: UInt8 = isIPv4 ? 2 : 10
    var result: [(LinkType, [UInt8])] = [
      (.ethernet, PacketBuilder.ethernet(packet)),
      (.ethernet, PacketBuilder.ethernet(packet, tags: [(0x8100, 5)])),
      (.ethernet, PacketBuilder.ethernet(packet, tags: [(0x88a8, 5), (0x8100, 6)])),
      (.ethernet, PacketBuilder.ethernet(packet, tags: [(0x9100, 5), (0x8100, 6)])),
      (.ethernet, PacketBuilder.ethernet(packet, tags: Array(repeating: (0x8100, 1), count: 8))),
      (.ethernet, macs + [0x88, 0x47] + label + label + bottom + packet),
      (.ethernet, macs + [0x81, 0, 0, 1, 0x88, 0x47] + bottom + packet),
      (.ethernet, macs + [0x88, 0x64] + session + ppp + packet),
      (.ethernet, macs + [0x88, 0x64] + session + [ppp[1]] + packet),
      (.ethernet, macs + [0x88, 0x64] + session + [0x02, 0x81] + bottom + packet),
      (.ethernet, macs + length + snap + etherType + packet),
      (.raw, packet), (.rawBSD, packet), (.rawOpenBSD, packet), (.ipv4, packet), (.ipv6, packet),
      (.ppp, ppp + packet), (.ppp, [0xff, 3] + ppp + packet), (.ppp, [ppp[1]] + packet),
      (.pppHDLC, [0xff, 3] + ppp + packet), (.pppHDLC, [0x0f, 0] + etherType + packet),
      (.pppWithDirection, [1, 0xff, 3] + ppp + packet), (.ciscoHDLC, [0x0f, 0] + etherType + packet),
      (.pppEther, session + ppp + packet),
      (.linuxSLL, sll + etherType + packet), (.linuxSLL, sll + [0x81, 0, 0, 5] + etherType + packet),
      (.linuxSLL2, etherType + [UInt8](repeating: 0, count: 18) + packet),
      (.null, [0, 0, 0, family] + packet), (.null, [family, 0, 0, 0] + packet),
      (.loop, [0, 0, 0, family] + packet),
      (
        .nflog,
        [2, 0, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4, 5, 0, 10, 0, 97, 0, 0, 0]
          + [UInt8(4 + packet.count), 0, 9, 0] + packet
      ),
      (.nflog, [2, 0, 0, 0, 0, 8, 0, 1, 1, 2, 3, 4, 0, UInt8(4 + packet.count), 0, 9] + packet),
    ]
    if isIPv4 { result.append((.ethernet, macs + length + [6, 6, 3] + packet)) }
    for bsd: UInt8 in [24, 28, 30] where !isIPv4 { result.append((.null, [bsd, 0, 0, 0] + packet)) }
    return result
  }

  @Test("all lead to the IP packet, byte for byte", arguments: packets)
  func all(packet: [UInt8]) {
    for (index, (linkType, frame)) in Self.frames(packet).enumerated() {
      #expect(network(frame, linkType) == packet, "\(index): \(linkType)")
    }
  }

  @Test("every prefix and mutation of a frame gives a part of it or nothing", arguments: packets)
  func hostile(packet: [UInt8]) {
    for (linkType, frame) in Self.frames(packet) {
      for count in frame.indices {
        if let found = network(Array(frame.prefix(count)), linkType) { #expect(packet.starts(with: found)) }
      }
      for offset in frame.indices.prefix(60) {
        for value: UInt8 in [0, 1, 2, 3, 6, 9, 0x21, 0x40, 0x60, 0x7f, 0x80, 0x81, 0x86, 0x88, 0xaa, 0xff] {
          var mutated = frame
          mutated[offset] = value
          guard let found = network(mutated, linkType) else { continue }
          // A netfilter log message may end the packet before its own end; all others run to theirs.
          let ends = linkType == .nflog ? found.count...mutated.count : mutated.count...mutated.count
          let isPart = ends.contains { mutated[..<$0].suffix(found.count).elementsEqual(found) }
          if !isPart { Issue.record("\(linkType), byte \(offset) as \(value)") }
        }
      }
    }
  }

  @Test("that carry no IP give nothing")
  func others() {
    let arp: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1]
    #expect(network(Self.macs + [8, 6] + arp, .ethernet) == nil)
    #expect(network(Self.macs + [0x88, 0x63, 0x11, 9, 0, 0, 0, 0], .ethernet) == nil)
    #expect(network(Self.macs + [0, 38, 0x42, 0x42, 3, 0, 0], .ethernet) == nil)
    #expect(network([0xff, 3, 0xc0, 0x21, 1, 1, 0, 4], .ppp) == nil)
    #expect(network([0, 0, 0, 7, 0x45], .null) == nil)
    #expect(network([0x75, 0, 0], .raw) == nil)
    #expect(network(Self.packets[0], LinkType(rawValue: 9999)) == nil)
    #expect(network([], .ethernet) == nil)
  }

  @Test("are followed through a capped number of tags and labels")
  func caps() {
    let packet = Self.packets[0]
    let tags = Array(repeating: (type: UInt16(0x8100), id: UInt16(1)), count: 9)
    #expect(network(PacketBuilder.ethernet(packet, tags: tags), .ethernet) == nil)
    let labels = Array(repeating: [0, 1, 0, 64] as [UInt8], count: 16).flatMap { $0 }
    #expect(network(Self.macs + [0x88, 0x47] + labels + [0, 1, 1, 64] + packet, .ethernet) == nil)
  }
}
