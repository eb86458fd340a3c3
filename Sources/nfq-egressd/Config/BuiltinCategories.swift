import CCategories
import PacketInspect

/// The category files that come with the daemon, as the binary holds them. Rules for what stands in them are in
/// docs/categories.md.
struct BuiltinCategories {
  /// What sources of built-in lists begin with.
  static let prefix = "builtin:"

  /// One file.
  struct File {
    /// The category's name.
    var category: String
    /// Its bytes, in the format `domains`.
    var bytes: [UInt8]
  }

  /// The files, by category name.
  static var files: [File] {
    (0..<builtin_category_count()).map { place in
      let file = unsafe builtin_category_at(place)
      let bytes = unsafe UnsafeBufferPointer(start: file.bytes, count: file.length)
      return unsafe File(category: String(cString: file.name), bytes: Array(bytes))
    }
  }

  /// Adds every list to `table`, behind what is there. Returns the lines that could not be used: none, as the tests see.
  @discardableResult
  static func add(to table: inout CategoryTable, suffixes: PublicSuffixes) -> [BadLine] {
    var bad: [BadLine] = []
    for file in files {
      guard let category = table.names.category(named: file.category) else { continue }
      let list = table.addList(CategoryList(source: "\(prefix)\(file.category)", category: category))
      var parser = ListParser(format: .domains, suffixes: suffixes)
      func insert(_ entry: ListEntry) {
        if case .name(let name) = entry.target { table.insert(name, list: list, line: entry.line) }
      }
      parser.feed(file.bytes.rawSpan, emit: insert)
      bad += parser.finish(emit: insert).samples
    }
    return bad
  }
}
