/// What sessions contact, against their budgets and in their mixes.
extension SessionTable {
  // By themselves: what is read through the subscript may be a copy of the whole session.

  /// True while a used-up upload budget holds what the session has not contacted.
  func isHeldByUploads(_ index: Int32) -> Bool {
    sessions[Int(index)].uploads.holds(sessions[Int(index)].uploadPolicy)
  }

  /// True while the mix holds what the session has not contacted.
  func isHeldByMix(_ index: Int32) -> Bool { sessions[Int(index)].isHeldByMix }

  /// How long a destination must have been silent to count in the session's mix; nil where that is not watched.
  func mixGap(_ index: Int32) -> Int64? { sessions[Int(index)].mixGap }

  /// True for a category that the baseline of the session's type lists.
  func isExpected(_ category: Category, of index: Int32) -> Bool {
    sessions[Int(index)].mixPolicy?.baseline.lists(category) == true
  }

  /// Takes a contact into a session's budget, which remembers at most `limit` destinations.
  public mutating func contact(
    _ index: Int32, _ key: DestinationKey, _ evidence: Evidence, _ category: Category = .unknown, limit: Int,
    at now: Timestamp
  ) -> BudgetOutcome {
    let place = Int(index)
    let isShared = sessions[place].attribution == .unattributed
    let isFull = isShared && unattributedDestinations >= Self.maximumUnattributedDestinations
    let before = sessions[place].budget.used
    let outcome = sessions[place].budget.contact(
      key, evidence: evidence, category: category, policy: sessions[place].budgetPolicy, limit: isFull ? 0 : limit,
      at: now)
    if outcome.admitted { sessions[place].countContact(category) }
    if isShared { unattributedDestinations += sessions[place].budget.used - before }
    return outcome
  }

  /// Counts a contact in the session's mix of categories, where its type's is watched; gives the shift that it made
  /// certain enough to flag.
  mutating func countContact(_ index: Int32, _ category: Category, _ key: DestinationKey) -> MixShift? {
    let place = Int(index)
    guard let policy = sessions[place].mixPolicy else { return nil }
    if sessions[place].mix == nil { sessions[place].mix = CategoryMix(policy.baseline) }
    sessions[place].isMixStored = false
    sessions[place].countInMix(category)
    return sessions[place].mix?.add(category, host: key, policy: policy)
  }

  /// A reviewer has looked at the session's shift: what it holds is released. True when it held anything.
  mutating func releaseMix(_ index: Int32) -> Bool {
    let held = sessions[Int(index)].isHeldByMix
    sessions[Int(index)].mix?.release()
    sessions[Int(index)].isMixStored = false
    markUnsaved(index)
    return held
  }

  /// Gives destinations that came from the store their categories.
  mutating func categorize(_ category: (DestinationKey) -> Category) {
    for index in indices { sessions[Int(index)].budget.categorize(category) }
  }

  /// Takes back a destination that only one nameless flow had put there.
  public mutating func withdraw(_ index: Int32, _ key: DestinationKey) {
    let before = sessions[Int(index)].budget.used
    sessions[Int(index)].budget.withdraw(key)
    if sessions[Int(index)].attribution == .unattributed {
      unattributedDestinations += sessions[Int(index)].budget.used - before
    }
  }
}
