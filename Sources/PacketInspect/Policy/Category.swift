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

/// A set of categories, as one word.
public struct CategorySet: OptionSet, Hashable, Sendable {
  /// One bit a category, by its number.
  public let rawValue: UInt64

  /// A set by its bits.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// A set of one.
  public init(_ category: Category) { self.init(rawValue: 1 << UInt64(category.rawValue & 63)) }
}

/// What is done about destinations of a category; each is stricter than the one before.
public enum CategoryAction: UInt8, Sendable, CaseIterable, Comparable {
  /// Nothing.
  case accept
  /// Each of them is flagged, once in a session.
  case flag
  /// Besides, those that the session had not contacted are rejected.
  case hold
  /// Besides, all of them are rejected.
  case reject

  /// As configuration and events write it.
  public var name: String {
    switch self {
    case .accept: "accept"
    case .flag: "flag"
    case .hold: "hold"
    case .reject: "reject"
    }
  }

  /// The weaker first.
  public static func < (left: CategoryAction, right: CategoryAction) -> Bool { left.rawValue < right.rawValue }
}

/// The action of every category for one agent type: `accept` unless set.
public struct CategoryActions: Hashable, Sendable {
  private var flagged: CategorySet = []
  private var held: CategorySet = []
  private var rejected: CategorySet = []

  /// Every category is accepted.
  public init() {}

  /// True when nothing is done about any category.
  public var isEmpty: Bool { flagged.isEmpty && held.isEmpty && rejected.isEmpty }

  /// A category's action.
  public subscript(category: Category) -> CategoryAction {
    get {
      let bit = CategorySet(category)
      if rejected.contains(bit) { return .reject }
      if held.contains(bit) { return .hold }
      return flagged.contains(bit) ? .flag : .accept
    }
    set {
      let bit = CategorySet(category)
      flagged.subtract(bit)
      held.subtract(bit)
      rejected.subtract(bit)
      switch newValue {
      case .accept: break
      case .flag: flagged.insert(bit)
      case .hold: held.insert(bit)
      case .reject: rejected.insert(bit)
      }
    }
  }
}
