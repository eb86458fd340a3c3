import Glibc
import PacketInspect

/// A snapshot on its way into a file: streamed, then filled through a mapping, then put in the place of the one before
/// in one step. What is not finished leaves nothing behind.
@safe
final class SnapshotFile: SnapshotTarget {
  private let path: String
  private let temporary: String
  private let descriptor: Int32
  private var start: UnsafeMutableRawPointer?
  private var size = 0
  private var isInPlace = false

  /// Begins a file that will be at `path`. Its directory is made when only it is missing.
  init(_ path: String) throws(FileError) {
    Folder.make(for: path)
    // The process's number keeps a daemon and a `deny compile` apart, the count two threads of one.
    temporary = "\(path).\(getpid()).\(UInt64.random(in: 0...UInt64.max)).tmp"
    self.path = path
    descriptor = unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Self.error(temporary, "made") }
  }

  deinit {
    unmap()
    if descriptor >= 0 { close(descriptor) }
    if descriptor >= 0, !isInPlace { unsafe unlink(temporary) }
  }

  /// Writes the next bytes.
  func append(_ bytes: RawSpan) throws(FileError) {
    var offset = 0
    while offset < bytes.byteCount {
      let rest = bytes.extracting(droppingFirst: offset)
      let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.error(temporary, "written") }
      offset += count
    }
  }

  /// Makes the file as large as it will be, and reachable for `put`. Room on the disk is taken now: to find none when a
  /// page is written back would end the process.
  func map(size: Int) throws(FileError) {
    let failure = posix_fallocate(descriptor, 0, off_t(size))
    guard failure == 0 else {
      errno = failure
      throw Self.error(temporary, "given \(size) bytes")
    }
    let address = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else { throw Self.error(temporary, "mapped") }
    unsafe start = address
    self.size = size
  }

  func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = unsafe UnsafeRawBufferPointer(start: start, count: size)
    return try body(unsafe buffer.bytes)
  }

  func put(_ value: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset <= size - 8)
    unsafe start?.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
  }

  func put(byte: UInt8, at offset: Int) {
    precondition(offset >= 0 && offset < size)
    unsafe start?.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
  }

  /// Puts the file in its place, once it is on disk.
  func replace() throws(FileError) {
    unmap()
    guard fsync(descriptor) == 0 else { throw Self.error(temporary, "brought to disk") }
    guard unsafe rename(temporary, path) == 0 else { throw Self.error(path, "replaced") }
    isInPlace = true
    // Best effort: after a power cut the former file may be there again, which is as good.
    let directory = unsafe open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_CLOEXEC)
    guard directory >= 0 else { return }
    fsync(directory)
    close(directory)
  }

  private func unmap() {
    if let mapped = unsafe start { unsafe munmap(mapped, size) }
    unsafe start = nil
  }

  private static func error(_ path: String, _ what: String) -> FileError {
    unsafe FileError(description: "\(path) cannot be \(what): \(String(cString: strerror(errno)))")
  }
}
