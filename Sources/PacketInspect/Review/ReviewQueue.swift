/// The flagged sessions in the order in which they are worth a reviewer's time.
public struct ReviewQueue: Sendable {
  /// All items: the gravest first, of those the latest.
  public let items: [ReviewItem]

  /// A queue of items in any order.
  public init(_ items: [ReviewItem]) {
    self.items = items.map { ($0.severity, $0.last, $0) }
      .sorted { left, right in
        if left.0 != right.0 { return left.0 < right.0 }
        return left.1 != right.1 ? left.1 > right.1 : left.2.session < right.2.session
      }
      .map(\.2)
  }

  /// Those that are in one of these states now.
  public func items(in states: Set<ReviewState>, at now: Timestamp) -> [ReviewItem] {
    items.filter { states.contains($0.state(at: now)) }
  }
}
