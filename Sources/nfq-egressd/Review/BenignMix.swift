import PacketInspect

/// A session that a reviewer found benign, as far as a baseline can learn from it.
struct BenignMix: Sendable, Equatable {
  /// Its id.
  var session: String
  /// When it began: an id may be used again, and then it is another session.
  var started: Timestamp
  var agentType: String
  /// Contacts by category name, as they were at the review. Of a verdict at least two; none withdraws it.
  var contacts: [String: UInt64]

  /// What takes the place of the session's verdict when that is withdrawn: no contacts.
  var withdrawn: BenignMix {
    BenignMix(session: session, started: started, agentType: agentType, contacts: [:])
  }

  /// The same under the numbers that categories have now. One that is no more is left out: what it held would pass for
  /// something else.
  func numbered(_ names: CategoryNames) -> [PacketInspect.Category: Int] {
    var result: [PacketInspect.Category: Int] = [:]
    for (name, count) in contacts {
      // Cut so that no sum of them overflows; a session of so many contacts weighs no more than one of a thousand.
      if let category = names.category(named: name) { result[category] = Int(min(count, UInt64(UInt32.max))) }
    }
    return result
  }
}
