/// Sessions that ended lately, as far as a reviewer may still say something of them.
struct EndedSessions: Sendable {
  /// Sessions remembered, the latest ones: less than a megabyte, and a day's work of a busy host.
  static let maximumCount = 1_024

  /// What is left of one.
  struct Member: Sendable {
    var overview: SessionOverview
    /// Contacts that its mix counted, by category number.
    var contacts: [UInt64]
  }

  private var members: [Member] = []
  private var oldest = 0

  /// Remembers a session that has just ended, if its mix was watched.
  mutating func add(_ session: AgentSession) {
    guard session.mixPolicy != nil, !session.contactsInMix.isEmpty else { return }
    let member = Member(overview: session.overview, contacts: session.contactsInMix)
    if members.count < Self.maximumCount {
      members.append(member)
    } else {
      members[oldest] = member
      oldest = (oldest + 1) % Self.maximumCount
    }
  }

  /// The latest one of an id.
  func latest(_ id: String) -> Member? {
    // What stands before the oldest is younger than what stands behind it.
    members[..<oldest].last { $0.overview.id == id } ?? members[oldest...].last { $0.overview.id == id }
  }
}
