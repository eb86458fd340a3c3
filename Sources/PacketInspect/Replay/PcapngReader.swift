/// Reads the block format (draft-ietf-opsawg-pcapng): sections of either byte order, enhanced, simple and obsolete
/// packet blocks; every other block is skipped.
struct PcapngReader: ~Escapable {
  /// The section header's block type, the same in both byte orders.
  static let sectionHeader: UInt32 = 0x0a0d_0d0a
  /// Real captures name a few dozen; the table is the only thing here that grows with the file.
  static let maximumInterfaces = 4096

  private enum BlockType {
    static let interfaceDescription: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let enhancedPacket: UInt32 = 6
  }

  private let bytes: RawSpan
  private var offset = 0
  private var frame = 1
  private var swapped = false
  private var interfaces: [PcapngInterface] = []
  /// The time of the last packet that had one: simple packet blocks have none.
  private var lastTime = Timestamp(nanoseconds: 0)

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  @_lifetime(copy self)
  mutating func next() throws(CaptureError) -> CapturedPacket? {
    while offset < bytes.byteCount {
      let start = offset
      let type = try readBlockType()
      let body = try readBody(at: start)
      switch type {
      case Self.sectionHeader: try startSection(body, at: start)
      case BlockType.interfaceDescription: try addInterface(body, at: start)
      case BlockType.enhancedPacket, BlockType.obsoletePacket, BlockType.simplePacket:
        let packet =
          type == BlockType.simplePacket
          ? try readSimple(body, at: start)
          : try readTimed(body, at: start, isObsolete: type == BlockType.obsoletePacket)
        offset = start + body.byteCount + 12
        frame += 1
        lastTime = packet.time
        return packet
      default: break
      }
      offset = start + body.byteCount + 12
    }
    return nil
  }

  private func fail(_ reason: CaptureError.Reason, at start: Int) -> CaptureError {
    CaptureError(reason, offset: start, frame: frame)
  }

  /// The type of the block at `offset`; for a section header the byte order is taken from its magic first.
  private mutating func readBlockType() throws(CaptureError) -> UInt32 {
    let remaining = bytes.byteCount - offset
    guard remaining >= 12 else { throw fail(.truncated(missing: 12 - remaining), at: offset) }
    if bytes.u32(at: offset) == Self.sectionHeader {
      switch bytes.u32(at: offset + 8) {
      case 0x1a2b_3c4d: swapped = false
      case 0x4d3c_2b1a: swapped = true
      default: throw fail(.badByteOrder, at: offset)
      }
    }
    return bytes.u32(at: offset, swapped: swapped)
  }

  /// What lies between a block's two lengths, which must agree.
  @_lifetime(copy self)
  private mutating func readBody(at start: Int) throws(CaptureError) -> RawSpan {
    let length = Int(bytes.u32(at: start + 4, swapped: swapped))
    guard length >= 12, length % 4 == 0 else { throw fail(.badBlockLength, at: start) }
    let missing = length - (bytes.byteCount - start)
    guard missing <= 0 else { throw fail(.truncated(missing: missing), at: start) }
    guard Int(bytes.u32(at: start + length - 4, swapped: swapped)) == length else {
      throw fail(.badBlockLength, at: start)
    }
    return bytes.extracting(start + 8..<start + length - 4)
  }

  /// Section Header Block: a new section forgets the interfaces of the last. Its length field is not needed.
  private mutating func startSection(_ body: RawSpan, at start: Int) throws(CaptureError) {
    guard body.byteCount >= 16 else { throw fail(.badBlockLength, at: start) }
    let major = body.u16(at: 4, swapped: swapped)
    guard major == 1 else {
      throw fail(.unsupportedVersion(major: major, minor: body.u16(at: 6, swapped: swapped)), at: start)
    }
    interfaces.removeAll(keepingCapacity: true)
  }

  /// Interface Description Block.
  private mutating func addInterface(_ body: RawSpan, at start: Int) throws(CaptureError) {
    guard body.byteCount >= 8 else { throw fail(.badBlockLength, at: start) }
    guard interfaces.count < Self.maximumInterfaces else { throw fail(.tooManyInterfaces, at: start) }
    interfaces.append(PcapngInterface(body, swapped: swapped))
  }

  /// Enhanced Packet Block and the Packet Block it replaced: they differ in the width of the interface number.
  @_lifetime(copy self)
  private mutating func readTimed(
    _ body: RawSpan, at start: Int, isObsolete: Bool
  ) throws(CaptureError) -> CapturedPacket {
    let headerLength = 20
    guard body.byteCount >= headerLength else { throw fail(.badBlockLength, at: start) }
    let id = isObsolete ? UInt32(body.u16(at: 0, swapped: swapped)) : body.u32(at: 0, swapped: swapped)
    guard id < interfaces.count else { throw fail(.unknownInterface(id), at: start) }
    let interface = interfaces[Int(id)]
    let ticks = UInt64(body.u32(at: 4, swapped: swapped)) << 32 | UInt64(body.u32(at: 8, swapped: swapped))
    let length = Int(body.u32(at: 12, swapped: swapped))
    guard length <= body.byteCount - headerLength else { throw fail(.badBlockLength, at: start) }
    let dataStart = start + 8 + headerLength
    return CapturedPacket(
      time: interface.time(ticks: ticks), frame: bytes.extracting(dataStart..<dataStart + length),
      originalLength: Int(body.u32(at: 16, swapped: swapped)), linkType: interface.linkType)
  }

  /// Simple Packet Block: no time, interface zero, and a captured length that follows from the snapshot length.
  @_lifetime(copy self)
  private mutating func readSimple(_ body: RawSpan, at start: Int) throws(CaptureError) -> CapturedPacket {
    guard body.byteCount >= 4 else { throw fail(.badBlockLength, at: start) }
    guard let interface = interfaces.first else { throw fail(.unknownInterface(0), at: start) }
    let originalLength = Int(body.u32(at: 0, swapped: swapped))
    var length = min(originalLength, body.byteCount - 4)
    if interface.snapLength > 0 { length = min(length, interface.snapLength) }
    let dataStart = start + 12
    return CapturedPacket(
      time: lastTime, frame: bytes.extracting(dataStart..<dataStart + length), originalLength: originalLength,
      linkType: interface.linkType)
  }
}
