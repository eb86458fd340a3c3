import Glibc

/// Addresses of Unix sockets (unix(7)): paths in the file system, and with a leading `@` names in the abstract space.
enum UnixAddress {
  /// Bytes of a path: `sun_path` has 108, one of them for the final zero.
  static let maximumLength = 107
  /// Bytes of a configured one: the daemon makes it under a longer name first, which ends with its process id.
  static let maximumConfigured = 96

  /// Calls `body` with the address of `path`; nil when the path is too long.
  static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32? {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count <= maximumLength, !bytes.contains(0) else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isAbstract = bytes[0] == UInt8(ascii: "@")
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
      for (index, byte) in bytes.enumerated() { unsafe target[index] = byte }
      if isAbstract { unsafe target[0] = 0 }
    }
    // An abstract name ends where the length says, a path at its zero.
    let family = MemoryLayout<sa_family_t>.size
    let length = isAbstract ? family + bytes.count : MemoryLayout<sockaddr_un>.size
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(length))
      }
    }
  }

  /// A socket connected to `path`, or the errno.
  static func connect(_ path: String) -> Result<Int32, UnixFailure> {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return .failure(UnixFailure(number: errno)) }
    let result = unsafe with(path) { unsafe Glibc.connect(descriptor, $0, $1) }
    guard result == 0 else {
      let number = result == nil ? ENAMETOOLONG : errno
      close(descriptor)
      return .failure(UnixFailure(number: number))
    }
    return .success(descriptor)
  }

  /// The process at the other end.
  static func peer(of descriptor: Int32) -> Int32? {
    // struct ucred: pid, uid, gid.
    var credentials: (Int32, UInt32, UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
    return result == 0 ? credentials.0 : nil
  }
}

/// An errno.
struct UnixFailure: Error {
  var number: Int32
  /// In the system's words.
  var text: String { unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)" }
}
