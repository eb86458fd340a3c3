import PacketInspect
import Testing

@Suite("Hostile packets")
struct WireRobustnessTests {
  /// One packet of every kind that takes another path through the parser.
  static let packets: [[UInt8]] = {
    var result: [[UInt8]] = []
    for (source, destination) in PacketViewTests.pairs {
      result.append(
        PacketBuilder.tcp(
          from: source, to: destination, options: [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2], payload: [1, 2, 3, 4]))
      result.append(PacketBuilder.udp(from: source, to: destination, payload: [1, 2, 3]))
      result.append(PacketBuilder.icmp(from: source.address, to: destination.address, type: 8, payload: [1]))
      result += PacketBuilder.fragments(of: PacketBuilder.tcp(from: source, to: destination), size: 8)
    }
    let authentication = ExtensionHeaderTests.authentication
    let udp = PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:53", payload: [4])
    result.append(
      PacketBuilder.ip(
        from: IPAddress(v4: 1), to: IPAddress(v4: 2), .ah, [17] + authentication + udp[20...],
        options: [148, 4, 0, 0, 131, 7, 4, 1, 2, 3, 4]))
    result.append(
      PacketBuilder.inserting(
        [
          (.hopByHopOptions, [0, 0xc2, 4, 0, 1, 0, 1]), (.routing, [0, 2, 1, 0, 0, 0, 0]),
          (.fragment, [0, 0, 1, 0, 0, 0, 1]), (.ah, authentication),
          (.destinationOptions, ExtensionHeaderTests.padding),
        ], into: ExtensionHeaderTests.udp))
    return result
  }()

  /// The parse of `bytes` alone, checked to be the same when they lie between other bytes and to stay inside them.
  private func check(_ bytes: [UInt8]) -> PacketSummary? {
    let alone = try? PacketSummary(bytes)
    for filler: UInt8 in [0x00, 0xff] {
      let surrounded = [filler, filler] + bytes + [UInt8](repeating: filler, count: 64)
      let inside = try? PacketSummary(surrounded.rawSpan.extracting(2..<2 + bytes.count))
      #expect(inside == alone)
    }
    if let alone {
      #expect(alone.payload.count <= alone.claimedPayloadLength || alone.claimedPayloadLength == 0)
      #expect(alone.payload.isEmpty || bytes.indices.contains { bytes[$0...].starts(with: alone.payload) })
    }
    return alone
  }

  @Test("every prefix is read as far as it goes", arguments: packets.indices)
  func prefixes(index: Int) throws {
    let packet = Self.packets[index]
    let whole = try PacketSummary(packet)
    for count in 0..<packet.count {
      guard let cut = check(Array(packet.prefix(count))) else { continue }
      #expect(cut.source == whole.source)
      #expect(cut.destination == whole.destination)
      #expect(cut.oddities.contains(.truncatedCapture) || cut.oddities.contains(.zeroTotalLength))
      #expect(cut.transportChecksum == nil)
    }
    #expect(check(packet) != nil)
  }

  @Test("every single-byte mutation is survived", arguments: packets.indices)
  func mutations(index: Int) {
    var parsed = 0
    for offset in Self.packets[index].indices {
      for value in UInt8.min...UInt8.max {
        var packet = Self.packets[index]
        packet[offset] = value
        if (try? PacketSummary(packet)) != nil { parsed += 1 }
      }
    }
    // Nearly all of them still show an address: mutations must not blind the inspector.
    #expect(parsed > Self.packets[index].count * 256 * 8 / 10)
  }

  @Test("pairs of mutated header bytes are survived", arguments: packets.indices)
  func pairs(index: Int) {
    let values: [UInt8] = [0, 1, 0x0f, 0x45, 0x7f, 0x80, 0xff]
    for first in Self.packets[index].indices.prefix(72) {
      for second in Self.packets[index].indices.prefix(72) where second > first {
        var packet = Self.packets[index]
        for value in values {
          packet[first] = value
          packet[second] = values[(first &+ second &+ Int(value)) % values.count]
          if let summary = try? PacketSummary(packet) {
            #expect(summary.payload.count <= packet.count)
          }
        }
      }
    }
  }
}
