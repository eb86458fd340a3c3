import Glibc

/// Asks the file system, without making anything.
enum FileFacts {
  /// What holds of a file that the daemon writes.
  static func place(_ path: String) -> DoctorFacts.Place {
    let folder = parent(of: path)
    let folderAccess = permission(folder, isFolder: true)
    return DoctorFacts.Place(
      path: path, file: permission(path, isFolder: false), folder: folderAccess,
      above: folderAccess == nil ? permission(parent(of: folder), isFolder: true) : nil, free: free(folder))
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// 0 when it may be written, nil when it is not there, else the errno.
  private static func permission(_ path: String, isFolder: Bool) -> Int32? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return errno == ENOENT ? nil : errno }
    guard (status.st_mode & S_IFMT == S_IFDIR) == isFolder else { return isFolder ? ENOTDIR : EISDIR }
    return unsafe access(path, isFolder ? W_OK | X_OK : W_OK) == 0 ? 0 : errno
  }

  private static func free(_ folder: String) -> UInt64? {
    var status = statvfs()
    guard unsafe statvfs(folder, &status) == 0 else { return nil }
    return UInt64(status.f_bavail) &* UInt64(status.f_frsize)
  }
}
