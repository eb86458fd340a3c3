import Testing

@testable import PacketInspect

@Suite("The category of a name")
struct CategoryTableTests {
  /// Lists by category name, the weightier first.
  static func table(_ lists: [(category: String, names: [String])]) -> CategoryTable {
    var table = CategoryTable()
    for list in lists {
      guard let category = table.names.add(list.category) else { preconditionFailure("no room") }
      let index = table.addList(CategoryList(source: "\(list.category).txt", category: category))
      for (line, name) in list.names.enumerated() { table.insert(host(name), list: index, line: line + 1) }
    }
    return table
  }

  static let sample = table([
    ("code-hosting", ["github.com"]), ("paste", ["gist.github.com"]), ("user-content", ["github.io"]),
    ("documentation", ["handbook.github.io"]),
  ])

  private func name(_ text: String) -> String { Self.sample.names[Self.sample.category(of: host(text))] }

  @Test("is that of the longest entry which is the name or a parent of it")
  func longest() {
    #expect(name("github.com") == "code-hosting")
    #expect(name("api.github.com") == "code-hosting")
    #expect(name("gist.github.com") == "paste")
    #expect(name("a.b.gist.github.com") == "paste")
    #expect(name("alice.github.io") == "user-content")
    #expect(name("handbook.github.io") == "documentation")
  }

  @Test("needs a label boundary, and is unknown without an entry")
  func boundary() {
    #expect(name("notgithub.com") == "unknown")
    #expect(name("com") == "unknown")
    #expect(name("github.com.evil.example") == "unknown")
    #expect(CategoryTable().category(of: host("github.com")) == .unknown)
    #expect(Self.sample.category(of: HostName()) == .unknown)
  }

  @Test("says which entry decided, on which line of which list")
  func provenance() {
    #expect(
      Self.sample.match(host("x.gist.github.com"))
        == CategoryMatch(
          category: Category(rawValue: 13), source: "paste.txt", line: 1, entry: "gist.github.com"))
    #expect(Self.sample.match(host("none.example")) == nil)
  }

  @Test("is, of two lists with the same entry, that of the one added first")
  func order() {
    let table = Self.table([("ours", ["docs.example"]), ("documentation", ["docs.example", "more.example"])])
    #expect(table.names[table.category(of: host("docs.example"))] == "ours")
    #expect(table.names[table.category(of: host("more.example"))] == "documentation")
  }

  @Test("has a number that stays when names are added, and no more numbers than fit a word")
  func numbers() {
    var names = CategoryNames()
    #expect(names.category(named: "unknown") == .unknown)
    #expect(names.category(named: "paste") == Category(rawValue: 13))
    #expect(Set(names.all).count == names.count)
    let first = names.add("ours")
    #expect(first == Category(rawValue: UInt8(CategoryNames.builtIn.count)) && names.add("ours") == first)
    #expect(names.category(named: "theirs") == nil)
    for number in 0..<100 { _ = names.add("more-\(number)") }
    #expect(names.count == CategoryNames.maximumCount && names.add("another") == nil)
    // A number of nobody's is never a trap.
    #expect(names[Category(rawValue: 255)] == "unknown")
  }
}
