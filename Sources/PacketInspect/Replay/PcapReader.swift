/// Reads the classic capture format (draft-ietf-opsawg-pcap): microsecond, nanosecond and "modified" variants, either
/// byte order.
struct PcapReader: ~Escapable {
  /// What the magic number tells.
  struct Variant {
    /// True when the file's integers are little-endian.
    var swapped: Bool
    var nanosecondsPerTick: Int64
    /// The modified variant of old Linux kernels has eight bytes more in each record header.
    var recordHeaderLength: Int

    /// From the first four bytes, read big-endian; nil when they are not a pcap's.
    init?(magic: UInt32) {
      switch magic {
      case 0xa1b2_c3d4: (swapped, nanosecondsPerTick, recordHeaderLength) = (false, 1000, 16)
      case 0xd4c3_b2a1: (swapped, nanosecondsPerTick, recordHeaderLength) = (true, 1000, 16)
      case 0xa1b2_3c4d: (swapped, nanosecondsPerTick, recordHeaderLength) = (false, 1, 16)
      case 0x4d3c_b2a1: (swapped, nanosecondsPerTick, recordHeaderLength) = (true, 1, 16)
      case 0xa1b2_cd34: (swapped, nanosecondsPerTick, recordHeaderLength) = (false, 1000, 24)
      case 0x34cd_b2a1: (swapped, nanosecondsPerTick, recordHeaderLength) = (true, 1000, 24)
      default: return nil
      }
    }
  }

  static let fileHeaderLength = 24
  /// What capture tools use as "no limit". A record beyond it, in a file whose header names no larger one, is a
  /// damaged length: reading on would take the rest of the file for one packet.
  static let maximumRecordLength = 262_144

  private let bytes: RawSpan
  private let variant: Variant
  private let linkType: LinkType
  private let recordLimit: Int
  private var offset: Int
  private var frame = 1

  /// Reads the file header. Throws `truncated` or `unsupportedVersion`.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ variant: Variant) throws(CaptureError) {
    guard bytes.byteCount >= Self.fileHeaderLength else {
      throw CaptureError(.truncated(missing: Self.fileHeaderLength - bytes.byteCount), offset: 0, frame: 1)
    }
    let major = bytes.u16(at: 4, swapped: variant.swapped)
    let minor = bytes.u16(at: 6, swapped: variant.swapped)
    // Files before 2.3 have their two lengths the other way round; none is left to be read.
    guard major == 2, minor >= 3 else {
      throw CaptureError(.unsupportedVersion(major: major, minor: minor), offset: 4, frame: 1)
    }
    self.bytes = bytes
    self.variant = variant
    // The upper half says whether frames end in a checksum, which the IP length cuts off anyway.
    linkType = LinkType(rawValue: UInt16(truncatingIfNeeded: bytes.u32(at: 20, swapped: variant.swapped)))
    recordLimit = max(Self.maximumRecordLength, Int(bytes.u32(at: 16, swapped: variant.swapped)))
    offset = Self.fileHeaderLength
  }

  @_lifetime(copy self)
  mutating func next() throws(CaptureError) -> CapturedPacket? {
    let remaining = bytes.byteCount - offset
    if remaining == 0 { return nil }
    guard remaining >= variant.recordHeaderLength else {
      throw CaptureError(.truncated(missing: variant.recordHeaderLength - remaining), offset: offset, frame: frame)
    }
    let seconds = Int64(bytes.u32(at: offset, swapped: variant.swapped))
    let ticks = Int64(bytes.u32(at: offset + 4, swapped: variant.swapped))
    let length = Int(bytes.u32(at: offset + 8, swapped: variant.swapped))
    let originalLength = Int(bytes.u32(at: offset + 12, swapped: variant.swapped))
    guard length <= recordLimit else {
      throw CaptureError(.recordTooLong(length: length), offset: offset, frame: frame)
    }
    let missing = length - (remaining - variant.recordHeaderLength)
    guard missing <= 0 else { throw CaptureError(.truncated(missing: missing), offset: offset, frame: frame) }

    let start = offset + variant.recordHeaderLength
    offset = start + length
    frame += 1
    return CapturedPacket(
      time: Timestamp(seconds: seconds).advanced(byNanoseconds: ticks * variant.nanosecondsPerTick),
      frame: bytes.extracting(start..<offset), originalLength: originalLength, linkType: linkType)
  }
}
