import CCategories
import PacketInspect
import TestSupport

/// Hosts by category: the daemon's built-in lists, and invented ones that no list has.
struct NameBook: Sendable {
  /// What the inspector asks for a name's category.
  let table: CategoryTable
  private let hosts: [String: [String]]
  let suffixes: SystemSuffixes

  init?() {
    guard let suffixes = SystemSuffixes() else { return nil }
    self.suffixes = suffixes
    var table = CategoryTable()
    var hosts: [String: [String]] = [:]
    var random = Random(seed: 77)
    for place in 0..<builtin_category_count() {
      let file = unsafe builtin_category_at(place)
      let bytes = unsafe UnsafeBufferPointer(start: file.bytes, count: file.length)
      let text = unsafe String(decoding: bytes, as: UTF8.self)
      let name = unsafe String(cString: file.name)
      guard let category = table.names.category(named: name) else { continue }
      let list = table.addList(CategoryList(source: "builtin:\(name)", category: category))
      var entries: [String] = []
      for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let entry = line.prefix { $0 != "#" && $0 != " " }
        guard !entry.isEmpty, let host = HostName(String(entry)) else { continue }
        table.insert(host, list: list, line: number + 1)
        entries.append(host.text)
      }
      entries.shuffle(using: &random)
      hosts[name] = entries
    }
    // Of two lists with one entry the first decides.
    for (category, entries) in hosts {
      hosts[category] = entries.filter { entry in
        HostName(entry).map { table.names[table.category(of: $0)] == category } ?? false
      }
    }
    self.table = table
    self.hosts = hosts
  }

  /// A host of a category, a few of them far likelier than the rest.
  func host(_ category: String, _ random: inout Random) -> String {
    guard category != "unknown", let list = hosts[category], !list.isEmpty else {
      return "www.site\(random.zipf(4_000)).example"
    }
    return list[random.zipf(list.count)]
  }

  /// What a contact with a host is charged to.
  func domain(_ host: String) -> String {
    guard let name = HostName(host) else { return host }
    let length = suffixes.registrableLength(of: name)
    return length > 0 ? String(name.text.suffix(length)) : name.text
  }

  func category(_ host: String) -> PacketInspect.Category { HostName(host).map { table.category(of: $0) } ?? .unknown }
}
