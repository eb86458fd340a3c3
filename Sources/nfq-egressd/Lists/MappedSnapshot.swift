import Glibc
import PacketInspect

/// A snapshot in a file, mapped for reading. Its pages are the file's: they cost no memory that the system could not
/// take back.
///
/// `@unchecked Sendable` because nothing writes to the mapping: files are replaced by others, never written again. A
/// file that somebody else cuts short under the mapping would end the process, which is why they lie in a directory
/// of the daemon's own.
@safe
final class MappedSnapshot: SnapshotBytes, @unchecked Sendable {
  private let start: UnsafeMutableRawPointer
  private let size: Int
  /// Bytes that are read at a time for the checksum.
  private static let pieceLength = 1 << 18

  private init(_ start: UnsafeMutableRawPointer, _ size: Int) {
    unsafe self.start = start
    self.size = size
  }

  deinit { unsafe munmap(start, size) }

  func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = unsafe UnsafeRawBufferPointer(start: start, count: size)
    return try body(unsafe buffer.bytes)
  }

  /// Opens the snapshot in a file; nil when there is none, or none that can be used. `complain` is told why.
  static func open(_ path: String, complain: (String) -> Void) -> ListSnapshot? {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno != ENOENT, errno != ENOTDIR {
        unsafe complain("\(path): cannot be opened: \(String(cString: strerror(errno)))")
      }
      return nil
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
      complain("\(path): is no regular file, or an empty one")
      return nil
    }
    // By reading, not through the mapping: pages that are only summed up need no place in this process.
    guard let sum = checksum(descriptor) else {
      complain("\(path): cannot be read")
      return nil
    }
    let size = Int(status.st_size)
    let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      unsafe complain("\(path): cannot be mapped: \(String(cString: strerror(errno)))")
      return nil
    }
    let mapped = unsafe MappedSnapshot(address, size)
    do throws(SnapshotError) {
      let snapshot = try ListSnapshot(mapped, checksum: sum)
      mapped.populate(snapshot.index)
      return snapshot
    } catch {
      complain("\(path): the snapshot \(error.rawValue); it is made again")
      return nil
    }
  }

  /// Brings pages in before packets need them. Where the kernel cannot (before Linux 5.14), they come one by one.
  private func populate(_ range: Range<Int>) {
    let populateRead: Int32 = 22  // MADV_POPULATE_READ of linux/mman.h, which older C libraries do not name
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = range.lowerBound / page * page
    guard range.upperBound > first else { return }
    _ = unsafe madvise(start + first, range.upperBound - first, populateRead)
  }

  private static func checksum(_ descriptor: Int32) -> UInt64? {
    var sum = SnapshotChecksum()
    var piece = [UInt8](repeating: 0, count: pieceLength)
    var offset = off_t(ListSnapshot.checkedFrom)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, pieceLength, offset) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { return sum.value }
      sum.add(piece.rawSpan.extracting(first: count))
      offset += off_t(count)
    }
  }
}
