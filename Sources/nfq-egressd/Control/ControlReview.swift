import PacketInspect

/// A flagged session on the wire. Times are seconds since 1970, to the millisecond.
struct ControlReview: Codable, Sendable, Equatable {
  struct Kind: Codable, Sendable, Equatable {
    var kind: String
    var severity: Int
    var count: Int
  }

  var id: String
  /// Absent while the store does not have the session: it may be written after its first flag.
  var agentType: String?
  var state: String
  /// 1 is the gravest.
  var severity: Int
  /// What a reviewer hands back as `seen`.
  var version: String
  var flags: Int
  var first: Double
  var last: Double
  /// The gravest first, of those the most frequent.
  var kinds: [Kind]
  /// What reviewers did last.
  var step: ControlReviewStep?

  enum CodingKeys: String, CodingKey {
    case id
    case agentType = "agent_type"
    case state, severity, version, flags, first, last, kinds, step
  }
}

/// A reviewer's step on the wire.
struct ControlReviewStep: Codable, Sendable, Equatable {
  var number: UInt64
  var action: String
  var disposition: String?
  /// The latest flag that the reviewer had seen.
  var flag: UInt64
  var at: Double
  var who: String
  var peer: String
  var why: String
  /// What was denied and for whom, or by how much the budget was extended.
  var subject: String?
  /// The overlay that it made.
  var overlay: UInt64?
  var expires: Double?
}

/// A flag on the wire.
struct ControlFlag: Codable, Sendable, Equatable {
  struct Evidence: Codable, Sendable, Equatable {
    var name: String
    /// One of the two.
    var count: UInt64?
    var text: String?
  }

  var id: UInt64
  var at: Double
  var kind: String
  var severity: Int
  var summary: String
  var evidence: [Evidence]
}

extension ControlReview {
  /// The wire form of an item as it is now.
  init(_ one: ReviewCase, at now: Timestamp) {
    let item = one.item
    id = item.session
    agentType = one.agentType
    state = item.state(at: now).rawValue
    severity = item.severity
    version = item.version.text
    flags = item.flags
    first = item.first.unixSeconds
    last = item.last.unixSeconds
    let counts = Dictionary(item.tallies.map { ($0.kind, $0.count) }, uniquingKeysWith: +)
    kinds = counts.map { Kind(kind: $0.key.rawValue, severity: $0.key.severity, count: $0.value) }
      .sorted { left, right in
        if left.severity != right.severity { return left.severity < right.severity }
        return left.count != right.count ? left.count > right.count : left.kind < right.kind
      }
    step = one.records.last.map { ControlReviewStep($0) }
  }
}

extension ControlReviewStep {
  /// The wire form of a step.
  init(_ record: ReviewRecord) {
    let step = record.step
    number = step.number
    action = step.action.state.rawValue
    if case .resolve(let word) = step.action { disposition = word.rawValue }
    flag = step.flag
    at = step.at.unixSeconds
    who = record.author.name
    peer = record.author.peer
    why = record.author.why
    subject = record.matter.isEmpty ? nil : record.matter
    overlay = step.overlay
    expires = step.expires?.unixSeconds
  }
}

extension ControlFlag {
  /// The wire form of a flag.
  init(_ raised: RaisedFlag) {
    id = raised.flag.id
    at = raised.time.unixSeconds
    kind = raised.flag.kind.rawValue
    severity = raised.flag.kind.severity
    summary = raised.flag.summary
    evidence = raised.flag.evidence.compactMap { item in
      switch item.value {
      case .count(let count): Evidence(name: item.name, count: count)
      case .text(let text): Evidence(name: item.name, text: text)
      case .categories: nil
      }
    }
  }
}

/// What is asked of the review queue.
enum ReviewCommand: Sendable, Equatable {
  case list(Set<ReviewState>)
  case show(String)
  case act(ReviewDraft)
}

/// What a reviewer asks for.
struct ReviewDraft: Sendable, Equatable {
  var session: String
  var seen: ReviewVersion
  var action: ReviewAction
  var author: OverlayAuthor
  /// Seconds after which the step is over; nil for never.
  var lasts: Int64?
  /// What a denial or a block puts over the policy.
  var overlay: OverlayDraft?
  /// By how much a budget is extended.
  var destinations: Int?

  /// For the record.
  var matter: String {
    if let destinations { return "\(destinations) destinations" }
    guard let overlay, !overlay.subject.isEmpty else { return "" }
    return "\(overlay.subject), \(overlay.scope.text)"
  }
}
