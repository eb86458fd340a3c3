import PacketInspect

/// Writes capture files for tests: what a capture tool would, in either byte order.
struct PcapWriter {
  var bytes: [UInt8] = []
  let bigEndian: Bool

  /// A classic pcap with its file header.
  init(
    linkType: LinkType = .ethernet, bigEndian: Bool = false, nanoseconds: Bool = false, snapLength: UInt32 = 262_144
  ) {
    self.bigEndian = bigEndian
    bytes = u32(nanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4) + u16(2) + u16(4) + u32(0) + u32(0)
    bytes += u32(snapLength) + u32(UInt32(linkType.rawValue))
  }

  /// An empty pcapng; start it with `addSection`.
  init(pcapngBigEndian bigEndian: Bool) { self.bigEndian = bigEndian }

  /// A pcap record. `ticks` count micro- or nanoseconds, as the file does.
  mutating func addRecord(seconds: UInt32, ticks: UInt32, _ frame: [UInt8], originalLength: Int? = nil) {
    bytes += u32(seconds) + u32(ticks) + u32(UInt32(frame.count)) + u32(UInt32(originalLength ?? frame.count)) + frame
  }

  /// Section Header Block of unknown length.
  mutating func addSection() {
    addBlock(0x0a0d_0d0a, u32(0x1a2b_3c4d) + u16(1) + u16(0) + [UInt8](repeating: 0xff, count: 8))
  }

  /// Interface Description Block.
  mutating func addInterface(linkType: LinkType = .ethernet, snapLength: UInt32 = 0, options: [UInt8] = []) {
    addBlock(1, u16(linkType.rawValue) + u16(0) + u32(snapLength) + options)
  }

  /// Enhanced Packet Block.
  mutating func addPacket(interface: UInt32 = 0, ticks: UInt64, _ frame: [UInt8], originalLength: Int? = nil) {
    let lengths = u32(UInt32(frame.count)) + u32(UInt32(originalLength ?? frame.count))
    let comment = option(1, Array("a comment".utf8)) + option(0, [])
    addBlock(
      6,
      u32(interface) + u32(UInt32(ticks >> 32)) + u32(UInt32(truncatingIfNeeded: ticks)) + lengths + padded(frame)
        + comment)
  }

  /// Simple Packet Block.
  mutating func addSimplePacket(_ frame: [UInt8], originalLength: Int? = nil) {
    addBlock(3, u32(UInt32(originalLength ?? frame.count)) + padded(frame))
  }

  /// The obsolete Packet Block.
  mutating func addObsoletePacket(interface: UInt16 = 0, ticks: UInt64, _ frame: [UInt8]) {
    let time = u32(UInt32(ticks >> 32)) + u32(UInt32(truncatingIfNeeded: ticks))
    let lengths = u32(UInt32(frame.count)) + u32(UInt32(frame.count))
    addBlock(2, u16(interface) + u16(0xffff) + time + lengths + padded(frame))
  }

  /// Any block: type, length, body, length.
  mutating func addBlock(_ type: UInt32, _ body: [UInt8]) {
    let length = u32(UInt32(12 + padded(body).count))
    bytes += u32(type) + length + padded(body) + length
  }

  /// A block option, padded.
  func option(_ code: UInt16, _ value: [UInt8]) -> [UInt8] {
    u16(code) + u16(UInt16(value.count)) + padded(value)
  }

  func u16(_ value: UInt16) -> [UInt8] { bigEndian ? PacketBuilder.be16(value) : PacketBuilder.be16(value).reversed() }

  func u32(_ value: UInt32) -> [UInt8] { bigEndian ? PacketBuilder.be32(value) : PacketBuilder.be32(value).reversed() }

  private func padded(_ data: [UInt8]) -> [UInt8] { data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4) }
}

/// What a capture gave: packets, and the error that ended it.
struct CaptureContents: Equatable {
  struct Packet: Equatable {
    var time: Timestamp
    var frame: [UInt8]
    var originalLength: Int
    var linkType: LinkType
  }

  var packets: [Packet] = []
  var error: CaptureError?

  /// Reads a file to its end or to the first error.
  init(_ file: RawSpan) {
    do throws(CaptureError) {
      var reader = try CaptureReader(file)
      while let packet = try reader.next() {
        packets.append(
          Packet(
            time: packet.time, frame: packet.frame.array(), originalLength: packet.originalLength,
            linkType: packet.linkType))
      }
    } catch {
      self.error = error
    }
  }

  init(_ file: [UInt8]) { self.init(file.rawSpan) }
}
