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

  /// What is known of a file.
  struct Facts: Sendable, Equatable {
    /// Bytes.
    var size: Int
    /// When the file was last modified.
    var modified: Timestamp
  }

  /// Gives the bytes of `path` to `take`, piece by piece. Throws when the file cannot be read or is larger than
  /// `limit` bytes.
  static func read(
    _ path: String, limit: Int, _ take: (RawSpan) throws(FileError) -> Void
  ) throws(FileError) -> Facts {
    let (descriptor, facts) = try open(path)
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: chunkLength)
    var size = 0
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, chunkLength) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileError(description: mend(errno)) }
      if count == 0 { break }
      size += count
      guard size <= limit else { throw FileError(description: "is larger than \(limit) bytes; make it smaller") }
      try take(buffer.rawSpan.extracting(first: count))
    }
    return Facts(size: size, modified: facts.modified)
  }

  /// What is known of a file without reading it. Throws when it could not be read.
  static func look(_ path: String) throws(FileError) -> Facts {
    let (descriptor, facts) = try open(path)
    close(descriptor)
    return facts
  }

  private static func open(_ path: String) throws(FileError) -> (descriptor: Int32, Facts) {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(description: mend(errno)) }
    var status = stat()
    let looked = unsafe fstat(descriptor, &status)
    guard looked == 0, status.st_mode & S_IFMT == S_IFREG else {
      let failure = looked == 0 ? "is no regular file; name a file" : mend(errno)
      close(descriptor)
      throw FileError(description: failure)
    }
    let modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    return (descriptor, Facts(size: Int(status.st_size), modified: Timestamp(nanoseconds: modified)))
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
