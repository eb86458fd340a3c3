import Testing

@testable import PacketInspect

@Suite("Tunnels")
struct TunnelTests {
  private static let inner = PacketBuilder.udp(from: "10.88.0.7:1", to: "93.184.216.77:53", payload: [1, 2, 3])
  private static let vxlan: [UInt8] = [8, 0, 0, 0, 0, 0, 42, 0] + [UInt8](repeating: 2, count: 12) + [8, 0] + inner

  private func packet(_ proto: IPProtocol, _ payload: [UInt8], to server: String = "93.184.216.9") -> [UInt8] {
    let destination = address(server)
    let source = address(destination.isIPv4 ? "10.88.0.7" : "fd00:88::7")
    return PacketBuilder.ip(from: source, to: destination, proto, payload)
  }

  @Test("of every kind are flagged once, and count as their outer address")
  func flagged() {
    let packets = [
      packet(.ipv4, Self.inner), packet(.ipv6, [UInt8](repeating: 0x60, count: 60)),
      packet(.gre, [0, 0, 8, 0] + Self.inner), packet(.ipv4, Self.inner, to: "2606:2800:220:1::9"),
      PacketBuilder.udp(from: "10.88.0.7:50000", to: "93.184.216.9:4789", payload: Self.vxlan),
    ]
    for packet in packets {
      var lab = InspectorLab()
      for _ in 0..<3 { #expect(lab.send(packet).action == .accept) }
      #expect(lab.flags.count { $0 == .tunnel } == 1)
      #expect(lab.destinations == [packet[0] >> 4 == 4 ? "93.184.216.9" : "2606:2800:220:1::/64"])
    }
  }

  @Test("to a denied address are refused")
  func denied() {
    var lab = InspectorLab(TestPolicy(denied: ["93.184.216.9/32"]))
    #expect(lab.send(packet(.gre, Self.inner)).reason == .deniedAddress)
    #expect(lab.flags.contains(.denyHit))
  }

  @Test("are no flag inside the operator's networks, nor is what merely uses the port")
  func benign() {
    var lab = InspectorLab()
    lab.send(packet(.gre, Self.inner, to: "10.0.0.9"))
    lab.send(PacketBuilder.udp(from: "10.88.0.7:50000", to: "10.0.0.9:4789", payload: Self.vxlan))
    lab.send(PacketBuilder.udp(from: "10.88.0.7:50001", to: "93.184.216.9:4789", payload: [8, 0, 0, 1] + Self.vxlan))
    for count in 0..<22 {
      let cut = Array(Self.vxlan[..<count])
      lab.send(PacketBuilder.udp(from: lab.freshEndpoint(), to: "93.184.216.9:4789", payload: cut))
    }
    lab.send(packet(.icmp, [8, 0, 0, 0, 0, 0, 0, 0]))
    #expect(!lab.flags.contains(.tunnel))
  }
}
