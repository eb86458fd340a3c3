/// Why a capture file could not be read on, and where. What was read before it stands.
public struct CaptureError: Error, Hashable, Sendable {
  /// What is wrong with the file.
  public enum Reason: Hashable, Sendable {
    /// The first bytes are those of no capture format.
    case notACapture
    /// The file is gzip, xz or zstd compressed; it has to be unpacked first.
    case compressed
    /// The format's version is none that can be read.
    case unsupportedVersion(major: UInt16, minor: UInt16)
    /// The file ends inside a header, record or block that needs `missing` more bytes.
    case truncated(missing: Int)
    /// A record claims more bytes than the file's snapshot length and any real packet have.
    case recordTooLong(length: Int)
    /// A block's lengths, at its start and end or of the data inside it, contradict each other.
    case badBlockLength
    /// A pcapng section header's byte-order magic is neither order.
    case badByteOrder
    /// A pcapng packet names an interface that the section has not described.
    case unknownInterface(UInt32)
    /// A pcapng section describes more interfaces than the cap.
    case tooManyInterfaces
  }

  /// What is wrong.
  public let reason: Reason
  /// Offset in bytes, from the start of the file, of the header, record or block that could not be read.
  public let offset: Int
  /// Number of the packet that could not be read, counted from 1: one more than were read.
  public let frame: Int

  /// An error at a place.
  public init(_ reason: Reason, offset: Int, frame: Int) {
    self.reason = reason
    self.offset = offset
    self.frame = frame
  }
}

extension CaptureError: CustomStringConvertible {
  /// One line for an operator, without the file's name.
  public var description: String {
    switch reason {
    case .notACapture: "not a pcap or pcapng file"
    case .compressed: "a compressed file: unpack it first"
    default: "\(what) (byte \(offset), packet \(frame))"
    }
  }

  private var what: String {
    switch reason {
    case .notACapture, .compressed: ""
    case .unsupportedVersion(let major, let minor): "unsupported format version \(major).\(minor)"
    case .truncated(let missing): "the file is cut short: \(missing) bytes missing"
    case .recordTooLong(let length): "a record claims \(length) bytes, more than a packet can have"
    case .badBlockLength: "a block's lengths contradict each other"
    case .badByteOrder: "a section header has no byte-order magic"
    case .unknownInterface(let id): "a packet names interface \(id), which was not described"
    case .tooManyInterfaces: "more than \(PcapngReader.maximumInterfaces) interfaces in one section"
    }
  }
}
