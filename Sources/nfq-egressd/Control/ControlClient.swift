import FoundationEssentials
import Glibc

/// The subcommands' end of the control socket: one connection, one request, one answer.
struct ControlClient {
  /// Seconds without a byte after which the daemon counts as stuck.
  private static let patience = 10

  let path: String

  /// Why there is no answer.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Sends a request and reads the answer, which may be an error of the daemon's.
  func send(_ request: ControlRequest) throws(Failure) -> ControlResponse {
    let encoder = JSONEncoder()
    guard let line = try? encoder.encode(request) else { throw Failure(description: "the request cannot be written") }
    let answer = try exchange(Array(line) + [0x0a])
    guard let version = try? JSONDecoder().decode(Version.self, from: answer) else {
      throw Failure(description: "\(path): what answers there is no nfq-egressd")
    }
    guard version.version == ControlProtocol.version,
      let response = try? JSONDecoder().decode(ControlResponse.self, from: answer)
    else {
      throw Failure(
        description:
          "\(path): the daemon speaks version \(version.version) of the control protocol, this command \(ControlProtocol.version); use the same release"
      )
    }
    return response
  }

  private struct Version: Decodable { var version: Int }

  /// Sends a line and reads one, without its newline.
  func exchange(_ line: [UInt8]) throws(Failure) -> Data {
    let descriptor: Int32
    switch UnixAddress.connect(path) {
    case .success(let connected): descriptor = connected
    case .failure(let failure): throw Failure(description: mend(failure))
    }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    // A daemon that refuses may answer without reading: what it says is still there to be read.
    send(line, to: descriptor)
    var answer = Data()
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    while answer.last != 0x0a {
      let count = unsafe piece.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let reason = count == 0 ? "closed the connection without an answer" : "did not answer in \(Self.patience) s"
        throw Failure(description: "\(path): the daemon \(reason); see its log")
      }
      answer.append(contentsOf: piece[..<count])
      guard answer.count <= ControlProtocol.maximumResponse else {
        throw Failure(description: "\(path): the answer has no end")
      }
    }
    return answer
  }

  private func send(_ line: [UInt8], to descriptor: Int32) {
    var offset = 0
    while offset < line.count {
      let count = unsafe line.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      offset += count
    }
  }

  private func mend(_ failure: UnixFailure) -> String {
    switch failure.number {
    case ENOENT, ENOTDIR, ECONNREFUSED:
      "no daemon listens on \(path); start it with 'nfq-egressd run', or name its socket (control.socket) with --socket"
    case EACCES, EPERM:
      "\(path) may not be used by this user; use sudo, or join the group that control.group names"
    case ENAMETOOLONG: "\(path) is longer than a socket's path may be; name the daemon's socket with --socket"
    default: "\(path) cannot be reached: \(failure.text)"
    }
  }
}
