import PacketInspect
import Testing

@Suite("pcapng")
struct PcapngReaderTests {
  static let frame = PcapReaderTests.frame

  @Test("is read in both byte orders, with every kind of packet block", arguments: [false, true])
  func blocks(bigEndian: Bool) {
    var file = PcapWriter(pcapngBigEndian: bigEndian)
    file.addSection()
    file.addInterface(linkType: .ethernet)
    file.addInterface(linkType: .raw)
    file.addBlock(4, [1, 2, 3, 4])
    file.addPacket(interface: 1, ticks: 1_700_000_000_123_456, [1, 2, 3], originalLength: 99)
    file.addBlock(0x8000_0001, [])
    file.addSimplePacket(Self.frame)
    file.addObsoletePacket(interface: 1, ticks: 7, [4, 5])
    let contents = CaptureContents(file.bytes)
    #expect(contents.error == nil)
    #expect(contents.packets.map(\.frame) == [[1, 2, 3], Self.frame, [4, 5]])
    #expect(contents.packets.map(\.linkType) == [.raw, .ethernet, .raw])
    #expect(contents.packets.map(\.originalLength) == [99, Self.frame.count, 2])
    let time: Int64 = 1_700_000_000_123_456_000
    // A simple packet has no time of its own and takes the last one.
    #expect(contents.packets.map(\.time.nanoseconds) == [time, time, 7000])
  }

  @Test("sections of different byte orders follow each other and forget the interfaces before")
  func sections() {
    var file: [UInt8] = []
    for bigEndian in [false, true, false] {
      var section = PcapWriter(pcapngBigEndian: bigEndian)
      section.addSection()
      section.addInterface(linkType: bigEndian ? .raw : .ethernet)
      section.addPacket(ticks: 1, [1])
      file += section.bytes
    }
    let good = CaptureContents(file)
    #expect(good.error == nil)
    #expect(good.packets.map(\.linkType) == [.ethernet, .raw, .ethernet])

    var empty = PcapWriter(pcapngBigEndian: false)
    empty.addSection()
    let start = file.count + empty.bytes.count
    empty.addPacket(ticks: 1, [1])
    let bad = CaptureContents(file + empty.bytes)
    #expect(bad.packets.count == 3)
    #expect(bad.error == CaptureError(.unknownInterface(0), offset: start, frame: 4))
  }

  @Test(
    "counts time in the interface's resolution",
    arguments: [
      (0, 3, 3_000_000_000), (3, 1500, 1_500_000_000), (6, 1_500_000, 1_500_000_000), (9, 1_500_000_000, 1_500_000_000),
      (12, 1_500_000_000_999, 1_500_000_000), (0x7f, .max, 0), (0x80, 3, 3_000_000_000), (0x81, 3, 1_500_000_000),
      (0x94, 3 << 19, 1_500_000_000), (0xa0, 3 << 31, 1_500_000_000), (0xbf, 3 << 62, 1_500_000_000),
      (0xc0, 1 << 63, 500_000_000), (0xff, .max, 0),
    ] as [(UInt8, UInt64, Int64)])
  func resolutions(resolution: UInt8, ticks: UInt64, nanoseconds: Int64) {
    for bigEndian in [false, true] {
      var file = PcapWriter(pcapngBigEndian: bigEndian)
      file.addSection()
      file.addInterface(options: file.option(2, Array("eth0".utf8)) + file.option(9, [resolution]) + file.option(0, []))
      file.addPacket(ticks: ticks, [1])
      #expect(CaptureContents(file.bytes).packets.first?.time.nanoseconds == nanoseconds)
    }
  }

  @Test("adds the interface's time offset", arguments: [false, true])
  func timeOffset(bigEndian: Bool) {
    let seconds = [UInt8](repeating: 0xff, count: 7) + [0xfe]
    var file = PcapWriter(pcapngBigEndian: bigEndian)
    file.addSection()
    file.addInterface(options: file.option(14, bigEndian ? seconds : seconds.reversed()))
    file.addPacket(ticks: 5_000_000, [1])
    #expect(CaptureContents(file.bytes).packets.first?.time == Timestamp(seconds: 3))
  }

  @Test("options that break their list leave the defaults")
  func brokenOptions() {
    for options: [UInt8] in [[9, 0, 200, 0, 3], [9, 0], [0, 0, 0, 0, 9, 0, 1, 0, 3, 0, 0, 0], [9, 0, 0, 0]] {
      var file = PcapWriter(pcapngBigEndian: false)
      file.addSection()
      file.addInterface(options: options)
      file.addPacket(ticks: 4, [1])
      let contents = CaptureContents(file.bytes)
      #expect(contents.error == nil)
      #expect(contents.packets.first?.time == Timestamp(nanoseconds: 4000))
    }
  }

  @Test("a simple packet ends at the snapshot length, not at its padding")
  func simplePacket() {
    var file = PcapWriter(pcapngBigEndian: false)
    file.addSection()
    file.addInterface(snapLength: 5)
    file.addSimplePacket([1, 2, 3, 4, 5], originalLength: 60)
    let contents = CaptureContents(file.bytes)
    #expect(contents.packets.first?.frame == [1, 2, 3, 4, 5])
    #expect(contents.packets.first?.originalLength == 60)
  }

  @Test("cut anywhere gives the packets before the cut and an error unless it falls between blocks")
  func truncation() {
    var file = PcapWriter(pcapngBigEndian: false)
    file.addSection()
    var ends = [file.bytes.count]
    file.addInterface()
    ends.append(file.bytes.count)
    for ticks: UInt64 in 0..<3 {
      file.addPacket(ticks: ticks, Self.frame)
      ends.append(file.bytes.count)
    }
    for count in 12...file.bytes.count {
      let contents = CaptureContents(Array(file.bytes.prefix(count)))
      #expect(contents.packets.count == max(0, ends.filter { $0 <= count }.count - 2))
      #expect((contents.error == nil) == ends.contains(count))
      if let error = contents.error { #expect(error.frame == contents.packets.count + 1) }
    }
  }

  @Test("blocks whose lengths contradict each other end the file with an error at their place")
  func lengths() {
    var file = PcapWriter(pcapngBigEndian: false)
    file.addSection()
    file.addInterface()
    file.addPacket(ticks: 1, [1])
    let start = file.bytes.count
    file.addPacket(ticks: 1, [2])
    let last = file.bytes.count - 4
    func error(_ spoil: (inout [UInt8]) -> Void) -> CaptureError.Reason? {
      var bytes = file.bytes
      spoil(&bytes)
      let contents = CaptureContents(bytes)
      #expect(contents.packets.count == 1)
      #expect(contents.error?.offset == start)
      #expect(contents.error?.frame == 2)
      return contents.error?.reason
    }
    #expect(error { $0[last] += 4 } == .badBlockLength)
    #expect(error { $0[start + 4] = 8 } == .badBlockLength)
    #expect(error { $0[start + 4] += 1 } == .badBlockLength)
    #expect(error { $0[start + 4] += 4 } == .truncated(missing: 4))
    // The captured length, by one beyond the block's data, and far beyond the block.
    let room = UInt8(last - start - 28)
    #expect(error { $0[start + 20] = room + 1 } == .badBlockLength)
    #expect(error { $0[start + 21] = 1 } == .badBlockLength)
    #expect(error { $0[start + 8] = 7 } == .unknownInterface(7))
  }

  @Test("a section without a byte order, or of another major version, is refused")
  func sectionHeader() {
    var file = PcapWriter(pcapngBigEndian: true)
    file.addSection()
    var odd = file.bytes
    odd[8] = 0
    #expect(CaptureContents(odd).error?.reason == .badByteOrder)
    odd = file.bytes
    odd[13] = 2
    #expect(CaptureContents(odd).error?.reason == .unsupportedVersion(major: 2, minor: 0))
  }

  @Test("a section has at most a capped number of interfaces")
  func interfaces() {
    var file = PcapWriter(pcapngBigEndian: false)
    file.addSection()
    for _ in 0..<4096 { file.addInterface() }
    file.addPacket(interface: 4095, ticks: 1, [1])
    file.addInterface()
    let contents = CaptureContents(file.bytes)
    #expect(contents.packets.count == 1)
    #expect(contents.error?.reason == .tooManyInterfaces)
  }
}
