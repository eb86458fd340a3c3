import Glibc

/// The file that events are appended to, or standard output.
struct EventFile: ~Copyable {
  private var descriptor: Int32
  private let path: String

  /// Opens `path` for appending; `-` is standard output.
  init(path: String) throws(FileError) {
    self.path = path
    descriptor = try Self.open(path)
  }

  deinit { if descriptor > STDERR_FILENO { close(descriptor) } }

  /// Opens the path again, so that a rotated file gets a successor. On failure the old one stays in use.
  mutating func reopen() throws(FileError) {
    guard path != "-" else { return }
    let fresh = try Self.open(path)
    close(descriptor)
    descriptor = fresh
  }

  /// Appends bytes. Returns an errno when not all of them could be written.
  func append(_ bytes: [UInt8]) -> Int32? {
    var offset = 0
    while offset < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset)
      }
      if written < 0 {
        if errno == EINTR { continue }
        return errno
      }
      offset += written
    }
    return nil
  }

  private static func open(_ path: String) throws(FileError) -> Int32 {
    guard path != "-" else { return STDOUT_FILENO }
    Folder.make(for: path)
    let descriptor = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else {
      let reason = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
      throw FileError(description: "cannot open \(path) for events: \(reason)")
    }
    return descriptor
  }
}
