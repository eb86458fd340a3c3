import Glibc

/// The control socket's file: made under another name with its mode and group, then renamed, so that it is never
/// reachable for more people than it is meant for.
final class ControlListener: Sendable {
  /// Connections that may wait to be accepted.
  private static let backlog: Int32 = 64

  let path: String
  let descriptor: Int32
  /// What the operator should know: a group that is not there.
  let warning: String?
  private let device: dev_t
  private let inode: ino_t

  /// Why there is no socket.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Makes the socket under a name of its own; nobody finds it until `publish`. Its group may use it, or, when
  /// the host has no such group, its owner alone.
  init(path: String, group: String) throws(Failure) {
    self.path = path
    try Self.checkPlace(path)
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw Self.failure("cannot be made", path) }
    let temporary = Self.temporary(path)
    unsafe unlink(temporary)
    // The file takes its mode from the socket (unix(7)), so that there is no moment in which it is wider.
    guard fchmod(descriptor, 0o600) == 0,
      unsafe UnixAddress.with(temporary, { unsafe bind(descriptor, $0, $1) }) == 0
    else {
      let failure = Self.failure("cannot be made", path)
      close(descriptor)
      throw failure
    }
    warning = Self.give(temporary, to: group)
    var status = stat()
    guard unsafe lstat(temporary, &status) == 0, listen(descriptor, Self.backlog) == 0 else {
      let failure = Self.failure("cannot be made", path)
      close(descriptor)
      unsafe unlink(temporary)
      throw failure
    }
    self.descriptor = descriptor
    device = status.st_dev
    inode = status.st_ino
  }

  /// Makes it reachable, in the place of what a dead daemon left.
  func publish() throws(Failure) {
    guard unsafe rename(Self.temporary(path), path) == 0 else { throw Self.failure("cannot be made", path) }
  }

  /// Removes the file, unless it is another daemon's by now.
  func remove() {
    for name in [Self.temporary(path), path] {
      var status = stat()
      if unsafe lstat(name, &status) == 0, status.st_dev == device, status.st_ino == inode { unsafe unlink(name) }
    }
  }

  deinit { close(descriptor) }

  private static func temporary(_ path: String) -> String { "\(path).\(getpid())" }

  /// A dead daemon's socket may be replaced, a live one's not, and nothing else ever.
  private static func checkPlace(_ path: String) throws(Failure) {
    guard temporary(path).utf8.count <= UnixAddress.maximumLength else {
      throw Failure(description: "control.socket \(path): is longer than a socket's path may be; choose a shorter one")
    }
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else {
      if errno == ENOENT {
        makeFolder(of: path)
        return
      }
      throw failure("cannot be looked at", path)
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw Failure(description: "control.socket \(path): something else has this name; remove it or choose another")
    }
    switch UnixAddress.connect(path) {
    case .failure(let failure) where failure.number == ECONNREFUSED || failure.number == ENOENT: return
    case .failure: throw failure("belongs to someone else", path)
    case .success(let peer):
      defer { close(peer) }
      let owner = UnixAddress.peer(of: peer).map { "process \($0)" } ?? "another process"
      throw Failure(description: "control.socket \(path): \(owner) serves it; stop that daemon or choose another path")
    }
  }

  /// Best effort: when it cannot be made, binding says why.
  private static func makeFolder(of path: String) {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
    unsafe mkdir(String(path[..<slash]), 0o755)
  }

  /// Gives the file to the group; returns a warning when that cannot be.
  private static func give(_ file: String, to group: String) -> String? {
    guard let number = groupNumber(group) else {
      return "there is no group '\(group)' (control.group): only the daemon's own user may use the control socket"
    }
    guard unsafe chown(file, uid_t.max, number) == 0, unsafe chmod(file, 0o660) == 0 else {
      return "the control socket cannot be given to group '\(group)': only the daemon's own user may use it"
    }
    return nil
  }

  private static func groupNumber(_ name: String) -> gid_t? {
    var entry = unsafe group()
    var found: UnsafeMutablePointer<group>?
    // A group may have many members, all of which stand in the buffer.
    var buffer = [CChar](repeating: 0, count: 1 << 20)
    let result = unsafe getgrnam_r(name, &entry, &buffer, buffer.count, &found)
    return unsafe result == 0 && found != nil ? entry.gr_gid : nil
  }

  private static func failure(_ what: String, _ path: String) -> Failure {
    Failure(description: "control.socket \(path): \(what): \(UnixFailure(number: errno).text)")
  }
}
