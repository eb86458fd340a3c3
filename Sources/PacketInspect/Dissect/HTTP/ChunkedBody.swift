/// Finds the end of a chunked body (RFC 9112 section 7.1) as its bytes go by, in constant memory.
///
/// Lenient as servers are: bare line feeds, white space around the size, any extensions and trailers. A size that is
/// no number, or passes 2^63 - 1, or chunk data that no line end follows, breaks it.
public struct ChunkedBodySkipper: Hashable, Sendable {
  private enum State: Hashable, Sendable {
    case sizeStart
    case size
    case sizeEnd
    case data
    case dataEnd
    case dataLineFeed
    case trailerStart
    case trailerLineFeed
    case trailer
    case complete
    case broken
  }

  private var state: State = .sizeStart
  private var value: UInt64 = 0

  /// At the start of a body.
  public init() {}

  /// True when the last chunk and the trailers have gone by.
  public var isComplete: Bool { state == .complete }

  /// True when the bytes are no chunked body: where it ends cannot be known.
  public var isBroken: Bool { state == .broken }

  /// Takes the next bytes of the connection and returns how many belong to the body: all of them, until it is
  /// complete or broken.
  public mutating func consume(_ bytes: RawSpan) -> Int {
    var offset = 0
    while offset < bytes.byteCount {
      switch state {
      case .complete, .broken:
        return offset
      case .data:
        let taken = Int(min(value, UInt64(bytes.byteCount - offset)))
        value -= UInt64(taken)
        offset += taken
        if value == 0 { state = .dataEnd }
      case .sizeEnd, .trailer:
        // Extensions and trailers hold nothing of use: on to the end of the line.
        guard let lineFeed = bytes.firstIndex(of: 0x0a, from: offset, to: bytes.byteCount) else {
          return bytes.byteCount
        }
        offset = lineFeed + 1
        state = state == .trailer || value == 0 ? .trailerStart : .data
      default:
        step(bytes.byte(at: offset))
        if state == .broken { return offset }
        offset += 1
      }
    }
    return offset
  }

  /// One byte where each counts.
  private mutating func step(_ byte: UInt8) {
    switch state {
    case .sizeStart:
      if byte == 0x20 || byte == 0x09 { return }
      value = 0
      state = .size
      guard takeDigit(byte) else {
        state = .broken
        return
      }
    case .size:
      if takeDigit(byte) || state == .broken { return }
      switch byte {
      case 0x0a: state = value == 0 ? .trailerStart : .data
      case 0x0d, 0x20, 0x09, UInt8(ascii: ";"): state = .sizeEnd
      default: state = .broken
      }
    case .dataEnd:
      state = byte == 0x0a ? .sizeStart : byte == 0x0d ? .dataLineFeed : .broken
    case .dataLineFeed:
      state = byte == 0x0a ? .sizeStart : .broken
    case .trailerStart:
      state = byte == 0x0a ? .complete : byte == 0x0d ? .trailerLineFeed : .trailer
    case .trailerLineFeed:
      state = byte == 0x0a ? .complete : .trailer
    case .sizeEnd, .data, .trailer, .complete, .broken:
      break
    }
  }

  /// Adds a hexadecimal digit to the size; false when `byte` is none. Too large a size breaks the body.
  private mutating func takeDigit(_ byte: UInt8) -> Bool {
    let digit: UInt8
    switch byte {
    case 0x30...0x39: digit = byte - 0x30
    case 0x41...0x46: digit = byte - 0x37
    case 0x61...0x66: digit = byte - 0x57
    default: return false
    }
    guard value >> 59 == 0 else {
      state = .broken
      return true
    }
    value = value << 4 | UInt64(digit)
    return true
  }
}
