/// What kind of destination a name is: a small number, so that a session's counts are an array.
///
/// The first numbers are the built-in categories, always the same; an operator's own follow, in the order in which this
/// process met them. Only `CategoryNames` knows their names.
public struct Category: RawRepresentable, Hashable, Comparable, Sendable {
  /// The place of its name in `CategoryNames`; less than `CategoryNames.maximumCount`.
  public let rawValue: UInt8

  /// A category by its number.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Nothing says what it is: no entry covers the name, the destination is an address, or the name is a claim that
  /// nothing corroborates.
  public static let unknown = Category(rawValue: 0)

  /// By number.
  public static func < (left: Category, right: Category) -> Bool { left.rawValue < right.rawValue }
}

/// The names of categories, each at its number.
///
/// Numbers are what sessions count by, so a reload must not move them: the names of the policy before stay, and new
/// ones are added behind them.
public struct CategoryNames: Hashable, Sendable {
  /// Categories in all, the built-in ones and those of earlier policies of this process included. A set of them is one
  /// word; and a mix of more would need more contacts than sessions have.
  public static let maximumCount = 64

  /// The built-in categories. What each means stands in docs/categories.md. New ones go to the end.
  public static let builtIn = [
    "unknown", "documentation", "search", "api", "llm-api", "code-hosting", "package-registry", "cloud-provider",
    "cdn", "reference", "news", "social", "file-sharing", "paste", "webhook-and-tunnel", "dynamic-dns", "doh-resolver",
    "advertising-and-tracking", "telemetry", "user-content",
  ]

  /// The names, by number.
  public private(set) var all: [String]

  /// The built-in names.
  public init() { all = Self.builtIn }

  /// Number of names.
  public var count: Int { all.count }

  /// A category's name.
  public subscript(category: Category) -> String {
    let place = Int(category.rawValue)
    return place < all.count ? all[place] : all[0]
  }

  /// The category of a name; nil when there is none of that name.
  public func category(named name: String) -> Category? {
    all.firstIndex(of: name).map { Category(rawValue: UInt8(truncatingIfNeeded: $0)) }
  }

  /// The category of a name, which is added if it is new; nil when there is no room.
  public mutating func add(_ name: String) -> Category? {
    if let known = category(named: name) { return known }
    guard all.count < Self.maximumCount else { return nil }
    all.append(name)
    return Category(rawValue: UInt8(all.count - 1))
  }
}
