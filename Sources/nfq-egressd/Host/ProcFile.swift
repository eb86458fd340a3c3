import Foundation

/// Reads small files of procfs, whose size is not known before they are read.
enum ProcFile {
  /// The file's text; nil when it cannot be read.
  static func read(_ path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    do {
      // Nothing to read is nil here, and an empty text.
      return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    } catch {
      return nil
    }
  }
}
