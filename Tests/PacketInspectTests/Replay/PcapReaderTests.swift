import PacketInspect
import Testing

@Suite("pcap")
struct PcapReaderTests {
  static let frame = PacketBuilder.ethernet(PacketBuilder.udp(from: "10.0.0.1:1", to: "10.0.0.2:53", payload: [1, 2]))

  @Test("is read in both byte orders and resolutions", arguments: [false, true], [false, true])
  func variants(bigEndian: Bool, nanoseconds: Bool) {
    var file = PcapWriter(linkType: .linuxSLL2, bigEndian: bigEndian, nanoseconds: nanoseconds)
    file.addRecord(seconds: 1_700_000_000, ticks: 123_456, Self.frame)
    file.addRecord(seconds: 4_000_000_000, ticks: 999_999, [], originalLength: 0)
    file.addRecord(seconds: 0, ticks: 0, [1, 2, 3], originalLength: 1500)
    let contents = CaptureContents(file.bytes)
    #expect(contents.error == nil)
    #expect(contents.packets.map(\.frame) == [Self.frame, [], [1, 2, 3]])
    #expect(contents.packets.map(\.originalLength) == [Self.frame.count, 0, 1500])
    #expect(contents.packets.allSatisfy { $0.linkType == .linuxSLL2 })
    let scale: Int64 = nanoseconds ? 1 : 1000
    #expect(
      contents.packets.map(\.time.nanoseconds) == [
        1_700_000_000_000_000_000 + 123_456 * scale, 4_000_000_000_000_000_000 + 999_999 * scale, 0,
      ])
  }

  @Test("of the modified variant has longer record headers")
  func modified() {
    var file = PcapWriter()
    file.bytes.replaceSubrange(0..<4, with: [0x34, 0xcd, 0xb2, 0xa1])
    file.bytes += file.u32(5) + file.u32(6) + file.u32(3) + file.u32(3) + [9, 9, 9, 9, 9, 9, 9, 9] + [1, 2, 3]
    let contents = CaptureContents(file.bytes)
    #expect(contents.error == nil)
    #expect(contents.packets.map(\.frame) == [[1, 2, 3]])
    #expect(contents.packets.first?.time == Timestamp(nanoseconds: 5_000_006_000))
  }

  @Test("ignores what the upper half of the link type says about frame checksums")
  func linkTypeFlags() {
    var file = PcapWriter(linkType: .ethernet)
    file.bytes[23] = 0x54
    file.addRecord(seconds: 0, ticks: 0, Self.frame)
    #expect(CaptureContents(file.bytes).packets.first?.linkType == .ethernet)
  }

  @Test("cut anywhere gives the packets before the cut, then says where and how much is missing")
  func truncation() {
    var file = PcapWriter()
    var starts = [file.bytes.count]
    for index: UInt32 in 0..<3 {
      file.addRecord(seconds: index, ticks: 0, Self.frame)
      starts.append(file.bytes.count)
    }
    for count in 4...file.bytes.count {
      let contents = CaptureContents(Array(file.bytes.prefix(count)))
      let whole = starts.filter { $0 <= count }.count - 1
      #expect(contents.packets.count == max(0, whole))
      if starts.contains(count) {
        #expect(contents.error == nil)
      } else {
        #expect(contents.error?.frame == max(0, whole) + 1)
        #expect(contents.error?.offset == (whole < 0 ? 0 : starts[whole]))
        guard case .truncated(let missing) = contents.error?.reason else {
          Issue.record("\(count): \(String(describing: contents.error))")
          continue
        }
        #expect(missing > 0)
      }
    }
  }

  @Test("with an absurd record length stops there, unless the file announced such lengths")
  func recordLength() {
    var file = PcapWriter()
    file.addRecord(seconds: 0, ticks: 0, [1])
    let start = file.bytes.count
    file.addRecord(seconds: 0, ticks: 0, [UInt8](repeating: 0, count: 262_145))
    let contents = CaptureContents(file.bytes)
    #expect(contents.packets.count == 1)
    #expect(contents.error == CaptureError(.recordTooLong(length: 262_145), offset: start, frame: 2))

    var larger = PcapWriter(snapLength: 300_000)
    larger.addRecord(seconds: 0, ticks: 0, [UInt8](repeating: 0, count: 262_145))
    #expect(CaptureContents(larger.bytes).error == nil)
  }

  @Test("of an unknown version, a compressed file and any other file are refused with their own reason")
  func refusals() {
    var file = PcapWriter()
    file.bytes[4] = 3
    #expect(CaptureContents(file.bytes).error?.reason == .unsupportedVersion(major: 3, minor: 4))
    #expect(CaptureContents([0x1f, 0x8b, 8, 0, 0]).error?.reason == .compressed)
    #expect(CaptureContents(Array("GET / HTTP/1.1".utf8)).error?.reason == .notACapture)
    #expect(CaptureContents([0xa1]).error?.reason == .notACapture)
    #expect(CaptureContents([]).error?.reason == .truncated(missing: 24))
  }

  @Test("an error comes again on every further call and reads as one line")
  func repeated() throws {
    var file = PcapWriter()
    file.addRecord(seconds: 0, ticks: 0, [1, 2, 3])
    file.bytes.removeLast()
    var reader = try CaptureReader(file.bytes.rawSpan)
    for _ in 0..<3 {
      do throws(CaptureError) {
        _ = try reader.next()
        Issue.record("no error")
      } catch {
        #expect(error.description == "the file is cut short: 1 bytes missing (byte 24, packet 1)")
      }
    }
  }
}
