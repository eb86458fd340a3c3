import Foundation

/// A directory of one test's own, gone with this.
final class TemporaryDirectory: Sendable {
  /// Short, for what is bound in it: addresses of sockets bear only short paths.
  let path: String

  init(_ name: String) throws {
    path = NSTemporaryDirectory() + "\(name)-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
