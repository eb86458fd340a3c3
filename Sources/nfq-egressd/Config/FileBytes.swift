import Glibc
import PacketInspect

/// Why a file could not be read.
struct FileError: Error, CustomStringConvertible {
  /// What is wrong, with the mend.
  var description: String
}

/// Reads regular files in pieces. Anything else is refused at once: a FIFO in the place of a list would block a reload.
enum FileBytes {
  private static let chunkLength = 65_536

  /// What is known of a file that was read.
  struct Facts: Sendable, Equatable {
    /// Bytes read.
    var size: Int
    /// When the file was last modified.
    var modified: Timestamp
  }

  /// Gives the bytes of `path` to `take`, piece by piece. Throws when the file cannot be read or is larger than
  /// `limit` bytes.
  static func read(_ path: String, limit: Int, _ take: (RawSpan) -> Void) throws(FileError) -> Facts {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(description: mend(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw FileError(description: mend(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(description: "is no regular file; name a file")
    }
    var buffer = [UInt8](repeating: 0, count: chunkLength)
    var size = 0
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, chunkLength) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileError(description: mend(errno)) }
      if count == 0 { break }
      size += count
      guard size <= limit else { throw FileError(description: "is larger than \(limit) bytes; make it smaller") }
      take(buffer.rawSpan.extracting(first: count))
    }
    let modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    return Facts(size: size, modified: Timestamp(nanoseconds: modified))
  }

  /// All bytes of `path`.
  static func readAll(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
    var all: [UInt8] = []
    _ = try read(path, limit: limit) { all.append(contentsOf: $0.array()) }
    return all
  }

  private static func mend(_ code: Int32) -> String {
    switch code {
    case ENOENT, ENOTDIR: "does not exist; mend the path"
    case EACCES, EPERM: "may not be read by this user; mend its permissions"
    case ELOOP: "is a loop of symbolic links; mend the path"
    default: unsafe "cannot be read: \(String(cString: strerror(code)))"
    }
  }
}
