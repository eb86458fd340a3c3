import Glibc

/// One client of the control socket: bytes in, lines out of them, an answer at a time. It never blocks.
struct ControlConnection: ~Copyable {
  private static let pieceLength = 16_384

  let descriptor: Int32
  /// Who asks.
  let peer: ControlPeer?
  /// When it is closed unless something was completed by then.
  private(set) var deadline: ContinuousClock.Instant
  private let patience: Duration
  private var input: [UInt8] = []
  private var output: [UInt8] = []
  private var written = 0
  /// True while the rest of a line that is too long is thrown away.
  private var isSkipping = false
  private var atEnd = false
  private var closesAfterOutput = false

  init(_ descriptor: Int32, patience: Duration) {
    self.descriptor = descriptor
    peer = ControlPeer(of: descriptor)
    self.patience = patience
    deadline = .now + patience
  }

  deinit { close(descriptor) }

  /// What to poll for. An answer goes out before the next request is read, so that nobody piles them up.
  var interest: Int16 { Int16(output.isEmpty ? POLLIN : POLLOUT) }

  /// True when there is nothing more to do.
  var isDone: Bool { output.isEmpty && (atEnd || closesAfterOutput) }

  /// Puts an answer out and closes after it.
  mutating func dismiss(with answer: [UInt8]) {
    output = answer
    closesAfterOutput = true
    write()
  }

  /// Reads and writes what is possible now, and answers each whole line.
  mutating func proceed(_ answer: (ArraySlice<UInt8>, ControlPeer?) -> [UInt8]) {
    if output.isEmpty { read() } else { write() }
    while output.isEmpty, let line = nextLine() {
      switch line {
      case .whole(let bytes): output = answer(bytes, peer)
      case .tooLong:
        output = ControlService.encode(
          ControlResponse(
            ControlError(
              .tooLong, "a request has at most \(ControlProtocol.maximumRequest) bytes; this one was not read")))
      }
      written = 0
      write()
    }
  }

  private enum Line {
    case whole(ArraySlice<UInt8>)
    case tooLong
  }

  private mutating func nextLine() -> Line? {
    guard let newline = input.firstIndex(of: 0x0a) else {
      if input.count > ControlProtocol.maximumRequest {
        isSkipping = true
        input.removeAll()
      }
      return nil
    }
    let line = input[..<newline]
    input = Array(input[(newline + 1)...])
    if isSkipping || line.count > ControlProtocol.maximumRequest {
      isSkipping = false
      return .tooLong
    }
    // A blank line is not a request; it is what people type.
    return line.allSatisfy { $0 <= 0x20 } ? nextLine() : .whole(line)
  }

  private mutating func read() {
    var piece = [UInt8](repeating: 0, count: Self.pieceLength)
    let count = unsafe piece.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, Self.pieceLength) }
    if count > 0 {
      // What is skipped is not kept, but the newline that ends it is.
      let start = isSkipping ? piece[..<count].firstIndex(of: 0x0a) ?? count : 0
      input += piece[start..<count]
    } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
      atEnd = true
    }
  }

  private mutating func write() {
    while written < output.count {
      let count = unsafe output.withUnsafeBytes { buffer in
        // Without a signal when the client has gone.
        unsafe send(
          descriptor, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return }
      guard count > 0 else {
        atEnd = true
        break
      }
      written += count
      // A client that keeps taking is alive.
      deadline = .now + patience
    }
    output = []
    written = 0
  }
}
