/// One packet of a capture file, borrowed from the file's bytes.
public struct CapturedPacket: ~Escapable {
  /// When it was captured.
  public let time: Timestamp
  /// The bytes captured, from the link-layer header on.
  public let frame: RawSpan
  /// The frame's length in bytes before a snapshot length cut it; never below `frame.byteCount`.
  public let originalLength: Int
  /// What kind of link-layer header `frame` starts with.
  public let linkType: LinkType

  @_lifetime(copy frame)
  init(time: Timestamp, frame: RawSpan, originalLength: Int, linkType: LinkType) {
    self.time = time
    self.frame = frame
    self.originalLength = max(originalLength, frame.byteCount)
    self.linkType = linkType
  }
}

/// Reads the packets of a pcap or pcapng file, told apart by their first bytes, from one span over all of it.
///
/// A damaged file gives every packet before the damage and then the error.
public struct CaptureReader: ~Escapable {
  private enum Format: ~Escapable {
    case pcap(PcapReader)
    case pcapng(PcapngReader)
  }

  private var format: Format

  /// A reader over the whole file. Throws when it is no capture, or ends inside its first header.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(CaptureError) {
    guard bytes.byteCount >= 4 else {
      throw CaptureError(bytes.isEmpty ? .truncated(missing: 24) : .notACapture, offset: 0, frame: 1)
    }
    let magic = bytes.u32(at: 0)
    if magic == PcapngReader.sectionHeader {
      format = .pcapng(PcapngReader(bytes))
    } else if let variant = PcapReader.Variant(magic: magic) {
      format = .pcap(try PcapReader(bytes, variant))
    } else {
      throw CaptureError(Self.isCompressed(magic) ? .compressed : .notACapture, offset: 0, frame: 1)
    }
  }

  /// The next packet; nil at a clean end. After an error every further call throws it again.
  @_lifetime(copy self)
  public mutating func next() throws(CaptureError) -> CapturedPacket? {
    switch format {
    case .pcap(var reader):
      let packet = try reader.next()
      format = .pcap(reader)
      return packet
    case .pcapng(var reader):
      let packet = try reader.next()
      format = .pcapng(reader)
      return packet
    }
  }

  /// The magic numbers of gzip, zstd and xz.
  private static func isCompressed(_ magic: UInt32) -> Bool {
    magic >> 16 == 0x1f8b || magic == 0x28b5_2ffd || magic == 0xfd37_7a58
  }
}

extension RawSpan {
  /// Two bytes at `offset` in a file's byte order. Traps when out of range.
  func u16(at offset: Int, swapped: Bool) -> UInt16 {
    let value = u16(at: offset)
    return swapped ? value.byteSwapped : value
  }

  /// Four bytes at `offset` in a file's byte order. Traps when out of range.
  func u32(at offset: Int, swapped: Bool) -> UInt32 {
    let value = u32(at: offset)
    return swapped ? value.byteSwapped : value
  }
}
