import Glibc

/// Directories that the daemon makes for its own files.
enum Folder {
  /// Makes the directory of `path` when only it is missing. Best effort: when it cannot be made, opening the file says
  /// why. What agents reached is nobody else's business, so that others may not look in.
  static func make(for path: String) {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
    unsafe mkdir(String(path[..<slash]), 0o700)
  }
}
