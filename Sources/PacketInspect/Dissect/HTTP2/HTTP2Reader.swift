/// Reads what a client sends on an HTTP/2 connection in the clear (RFC 9113), frame by frame, for its requests'
/// destinations.
///
/// Read are the preface, and HEADERS with the CONTINUATIONs that belong to them; the payloads of all other frames are
/// passed over. Not read: what a CONNECT stream carries in its DATA.
public struct HTTP2Reader: Sendable {
  /// What comes next in the bytes.
  package enum Step: Hashable {
    /// A part of it is still to come.
    case needMore
    /// Frames without a name, or the preface: so many bytes to pass over now, and the last one's payload behind them.
    case skip(head: Int, payload: Int)
    /// A request, with all frames of its header block.
    case request(length: Int)
    /// Trailers, with all frames of their header block.
    case trailers(length: Int)
    /// No server goes on from here.
    case malformed
  }

  /// The first bytes of a connection (RFC 9113 section 3.4): "PRI * HTTP/2.0", an empty line, "SM", an empty line.
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  /// Bytes of a frame's header.
  private static let frameHeader = 9

  private var hasPreface = false
  private var hpack = HPACKDecoder()

  /// At the start of a connection.
  public init() {}

  /// Bytes that its dynamic table stands for.
  package var tableSize: Int { hpack.tableSize }

  /// Bytes of the preface that tell it from any request: "PRI * HTTP/2".
  private static let telling = 12

  /// True when `stream` begins with as much of the preface as tells it from any request; nil while it may.
  static func begins(_ stream: RawSpan) -> Bool? {
    let count = min(stream.byteCount, telling)
    for index in 0..<count where stream.byte(at: index) != preface[index] { return false }
    return count == telling ? true : nil
  }

  /// Reads the frame at the start of `bytes`, the connection's next ones. `block` is for what several frames bring.
  package mutating func next(_ bytes: RawSpan, into request: inout HTTP2Request, block: inout [UInt8]) -> Step {
    guard hasPreface else {
      let count = min(bytes.byteCount, Self.preface.count)
      for index in 0..<count where bytes.byte(at: index) != Self.preface[index] { return .malformed }
      guard count == Self.preface.count else { return .needMore }
      hasPreface = true
      return .skip(head: count, payload: 0)
    }
    guard bytes.byteCount >= Self.frameHeader else { return .needMore }
    switch bytes.byte(at: 3) {
    case FrameType.headers: return readHeaders(bytes, into: &request, block: &block)
    // A client promises nothing, and continues nothing that it has not begun (RFC 9113 sections 6.6 and 6.10).
    case FrameType.pushPromise, FrameType.continuation: return .malformed
    default: return passNameless(bytes)
    }
  }

  /// The frames at the start of `bytes` that name nobody, all at once: a packet has room for thousands.
  private func passNameless(_ bytes: RawSpan) -> Step {
    var head = 0
    var payload = 0
    repeat {
      head += payload + Self.frameHeader
      payload = Int(bytes.u32(at: head - Self.frameHeader) >> 8)
    } while bytes.byteCount - head - payload >= Self.frameHeader && !Self.mayName(bytes.byte(at: head + payload + 3))
    return .skip(head: head, payload: payload)
  }

  private static func mayName(_ type: UInt8) -> Bool {
    type == FrameType.headers || type == FrameType.pushPromise || type == FrameType.continuation
  }

  private enum FrameType {
    static let headers: UInt8 = 1
    static let pushPromise: UInt8 = 5
    static let continuation: UInt8 = 9
  }

  private enum Flag {
    static let endHeaders: UInt8 = 0x04
    static let padded: UInt8 = 0x08
    static let priority: UInt8 = 0x20
  }

  /// A HEADERS frame and the CONTINUATIONs after it. Nothing may come between them, so they are one message.
  private mutating func readHeaders(
    _ bytes: RawSpan, into request: inout HTTP2Request, block: inout [UInt8]
  ) -> Step {
    block.removeAll(keepingCapacity: true)
    let stream = bytes.u32(at: 5) & 0x7fff_ffff
    guard stream & 1 == 1 else { return .malformed }
    var offset = 0
    var isFirst = true
    while true {
      guard bytes.byteCount - offset >= Self.frameHeader else { return .needMore }
      let length = Int(bytes.u32(at: offset) >> 8)
      let flags = bytes.byte(at: offset + 4)
      let isRight =
        bytes.byte(at: offset + 3) == (isFirst ? FrameType.headers : FrameType.continuation)
        && bytes.u32(at: offset + 5) & 0x7fff_ffff == stream
      guard isRight else { return .malformed }
      offset += Self.frameHeader
      guard bytes.byteCount - offset >= length else { return .needMore }
      let payload = bytes.extracting(offset..<offset + length)
      guard let fragment = isFirst ? Self.fragment(payload, flags) : 0..<length else { return .malformed }
      block.append(payload.extracting(fragment))
      offset += length
      isFirst = false
      if flags & Flag.endHeaders != 0 { break }
    }
    request.reset()
    guard hpack.decode(block.rawSpan, into: &request) else { return .malformed }
    return request.method.isEmpty ? .trailers(length: offset) : .request(length: offset)
  }

  /// Where a HEADERS payload has its part of the block (RFC 9113 section 6.2); nil when its padding does not fit.
  private static func fragment(_ payload: RawSpan, _ flags: UInt8) -> Range<Int>? {
    var start = 0
    var end = payload.byteCount
    if flags & Flag.padded != 0 {
      guard end > 0 else { return nil }
      start = 1
      end -= Int(payload.byte(at: 0))
    }
    if flags & Flag.priority != 0 { start += 5 }
    return start <= end ? start..<end : nil
  }
}
