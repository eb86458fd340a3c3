import PacketInspect
import Testing

@Suite("Hostile captures")
struct CaptureRobustnessTests {
  static let files: [[UInt8]] = [false, true].flatMap { bigEndian in
    let frame = PacketBuilder.ethernet(PacketBuilder.udp(from: "10.0.0.1:1", to: "10.0.0.2:53", payload: [1]))
    var pcap = PcapWriter(bigEndian: bigEndian)
    pcap.addRecord(seconds: 1, ticks: 2, frame)
    pcap.addRecord(seconds: 3, ticks: 4, frame)
    var pcapng = PcapWriter(pcapngBigEndian: bigEndian)
    pcapng.addSection()
    pcapng.addInterface(options: pcapng.option(9, [9]) + pcapng.option(14, [UInt8](repeating: 0, count: 8)))
    pcapng.addPacket(ticks: 1, frame)
    pcapng.addSimplePacket(frame)
    pcapng.addObsoletePacket(ticks: 1, frame)
    return [pcap.bytes, pcapng.bytes]
  }

  @Test("every single-byte mutation ends in packets or an error, the same whatever lies around", arguments: 0..<4)
  func mutations(index: Int) {
    let original = Self.files[index]
    for offset in original.indices {
      for value: UInt8 in [0, 1, 3, 0x7f, 0x80, 0xfe, 0xff, original[offset] ^ 4] {
        var file = original
        file[offset] = value
        let contents = CaptureContents(file)
        let surrounded = [0xff] + file + [UInt8](repeating: 0xff, count: 64)
        #expect(CaptureContents(surrounded.rawSpan.extracting(1..<1 + file.count)) == contents)
        #expect(contents.packets.count <= 3)
        #expect(contents.packets.reduce(0) { $0 + $1.frame.count } <= file.count)
      }
    }
  }

  @Test("a file of nothing but smallest blocks is walked, not stumbled over")
  func smallBlocks() {
    var file = PcapWriter(pcapngBigEndian: false)
    file.addSection()
    for _ in 0..<10000 { file.addBlock(77, []) }
    let contents = CaptureContents(file.bytes)
    #expect(contents.packets.isEmpty)
    #expect(contents.error == nil)
  }
}
