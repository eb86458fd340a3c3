/// An empty packet with a flow's endpoints, where bytes are read whose own packets are gone.
enum FlowPacket {
  static func bytes(_ flow: FlowState) -> [UInt8] {
    var out: [UInt8] = []
    if flow.key.isIPv4 {
      out = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]
    } else {
      out = [0x60, 0, 0, 0, 0, 20, 6, 64]
    }
    out += flow.client.networkBytes + flow.server.networkBytes
    for port in [flow.clientPort, flow.serverPort] { out += [UInt8(port >> 8), UInt8(port & 0xff)] }
    return out + [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]
  }
}
