/// A list of names of one category, as policy knows it: its entries lie in the table's set.
public struct CategoryList: Hashable, Sendable {
  /// Its file as the configuration names it, or `builtin:` and the category.
  public var source: String
  /// The category of its names.
  public var category: Category

  /// A list.
  public init(source: String, category: Category) {
    self.source = source
    self.category = category
  }
}

/// An entry that decided a name's category, with its provenance.
public struct CategoryMatch: Hashable, Sendable {
  /// The category.
  public var category: Category
  /// The list's source.
  public var source: String
  /// The entry's line there, from 1.
  public var line: Int
  /// The entry: the name itself or a parent of it.
  public var entry: String
}

/// Which category a name has: that of the longest entry which is the name or a parent of it, on label boundaries. Of
/// two lists with the same entry the one added first decides.
public struct CategoryTable: Sendable {
  /// The categories' names.
  public var names: CategoryNames
  /// The lists, by index.
  public private(set) var lists: [CategoryList] = []
  private var domains: DomainSet

  /// No entry: every name is unknown. `seed` is any secret number; tests and replay may leave it.
  public init(names: CategoryNames = CategoryNames(), seed: UInt64? = nil) {
    self.names = names
    domains = seed.map { DomainSet(seed: $0) } ?? DomainSet()
  }

  /// Number of entries.
  public var count: Int { domains.count }

  /// Adds a list; its entries are inserted with the number that is returned.
  public mutating func addList(_ list: CategoryList) -> Int {
    lists.append(list)
    return lists.count - 1
  }

  /// Adds an entry of a list. An entry that an earlier list has stays that list's.
  public mutating func insert(_ name: HostName, list: Int, line: Int) {
    domains.insert(name, at: ListPosition(list: list, line: line))
  }

  /// A name's category. Allocates nothing; one pass over the name's bytes.
  public func category(of name: HostName) -> Category {
    guard let position = domains.match(name), position.list < lists.count else { return .unknown }
    return lists[position.list].category
  }

  /// The entry that decides a name's category; nil when none does.
  public func match(_ name: HostName) -> CategoryMatch? {
    guard let position = domains.match(name), position.list < lists.count else { return nil }
    let list = lists[position.list]
    return CategoryMatch(
      category: list.category, source: list.source, line: position.line,
      entry: domains.entryText(matching: name) ?? name.text)
  }
}
