import Glibc

/// The script that makes the rules again (`scripts/iptables-setup.sh`), as a program that may be run with this
/// daemon's rights: nobody but root may be able to change it, or to put another one in its place.
struct RepairScript: Equatable, Sendable {
  /// Absolute, without symbolic links.
  let path: String

  /// The script at `path`. Throws when it may not be run, with the reason and the mend.
  init(checking path: String) throws(FileError) {
    guard path.hasPrefix("/") else { throw FileError(description: "is no absolute path; write one") }
    guard let resolved = Self.resolve(path) else { throw FileError(description: "does not exist; mend the path") }
    guard resolved == path else {
      throw FileError(description: "leads over a symbolic link, which may lead elsewhere later; write \(resolved)")
    }
    guard let status = Self.status(path) else { throw FileError(description: "does not exist; mend the path") }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o100 != 0 else {
      throw FileError(description: "is no program; name iptables-setup.sh, and make it executable")
    }
    try Self.checkOwner(status, "it")
    var parent = path
    while let cut = parent.lastIndex(of: "/"), parent != "/" {
      parent = cut == parent.startIndex ? "/" : String(parent[..<cut])
      guard let status = Self.status(parent) else { throw FileError(description: "does not exist; mend the path") }
      // In a directory with the sticky bit nobody but root can rename or remove what is root's.
      try Self.checkOwner(status, parent, mayBeSticky: true)
    }
    self.path = path
  }

  private static func checkOwner(_ status: stat, _ what: String, mayBeSticky: Bool = false) throws(FileError) {
    guard status.st_uid == 0 else {
      throw FileError(description: "may not be run by root: \(what) belongs to user \(status.st_uid); chown it to root")
    }
    guard status.st_mode & 0o022 == 0 || (mayBeSticky && status.st_mode & S_ISVTX != 0) else {
      throw FileError(
        description: "may not be run by root: others than root may write \(what); take that away (chmod go-w)")
    }
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status : nil
  }

  private static func resolve(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}
