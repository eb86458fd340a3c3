/// Tunnels of IP packets. What they carry is not unwrapped: the outer destination is the one that counts.
extension Inspector {
  /// Raises `tunnel` at the first packet to an external address that carries other packets.
  mutating func raiseTunnel<Sink: EventSink>(
    _ index: Int32, _ view: borrowing PacketView, _ outcome: ContactOutcome, _ now: Timestamp, _ sink: inout Sink
  ) {
    guard flows[index].isExternal, let form = Self.tunnelForm(view) else { return }
    let server = flows[index].server.description
    raiseOnce(
      .tunnel, (server, form),
      "Packets inside packets (\(form)) go to \(server): where that sends them is not seen.",
      [FlagEvidence("address", server), FlagEvidence("form", form)], outcome, index, now, &sink)
  }

  /// The kind of tunnel that a packet belongs to; nil for none that is known.
  private static func tunnelForm(_ view: borrowing PacketView) -> String? {
    switch view.proto {
    case .ipv4: "IP in IP"
    case .ipv6: view.source.isIPv4 ? "6in4" : "IP in IP"
    case .gre: "GRE"
    case .udp: isVXLAN(view) ? "VXLAN" : nil
    default: nil
    }
  }

  /// VXLAN (RFC 7348 section 5): port 4789, the flag that says the network identifier is valid, reserved bytes of zero,
  /// and room for an Ethernet header.
  private static func isVXLAN(_ view: borrowing PacketView) -> Bool {
    guard view.destinationPort == 4789, view.payload.byteCount >= 22 else { return false }
    return view.payload.u32(at: 0) == 0x0800_0000 && view.payload.byte(at: 7) == 0
  }
}
