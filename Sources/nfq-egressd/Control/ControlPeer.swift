import Glibc

/// Who is at the other end of the control socket, as the kernel says: nothing of it is the client's own word.
struct ControlPeer: Sendable, Equatable {
  private var process: Int32
  private var user: UInt32
  /// The user who logged in, whom `sudo` does not change (/proc/PID/loginuid); nil when nobody did.
  private var login: UInt32?

  /// The client of a connected socket, by SO_PEERCRED (unix(7)): whoever connected it.
  init?(of descriptor: Int32) {
    // struct ucred: pid, uid, gid.
    var credentials: (Int32, UInt32, UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
    self.init(process: credentials.0, user: credentials.1, login: Self.login(of: credentials.0))
  }

  init(process: Int32, user: UInt32, login: UInt32?) {
    self.process = process
    self.user = user
    self.login = login
  }

  /// `alice`, or `alice as root` where they are not the same. Looks names up, which may take a moment.
  var name: String {
    guard let login, login != user else { return Self.name(of: user) }
    return "\(Self.name(of: login)) as \(Self.name(of: user))"
  }

  private static func login(of process: Int32) -> UInt32? {
    guard let bytes = try? FileBytes.readAll("/proc/\(process)/loginuid", limit: 32),
      let number = UInt32(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber }), number != .max
    else { return nil }
    return number
  }

  private static func name(of user: UInt32) -> String {
    var entry = unsafe passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 1 << 16)
    guard unsafe getpwuid_r(user, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else {
      return "uid \(user)"
    }
    return unsafe String(cString: entry.pw_name)
  }
}
