extension DestinationKey {
  /// A short name for a destination in what is remembered of flows; zero is none. Two destinations share one in four
  /// billion times, and then a flag may speak of the wrong one of them.
  var tag: UInt32 { max(1, UInt32(truncatingIfNeeded: hashValue)) }
}

extension DestinationBudget {
  /// The destination with a tag, and what its first contact rested on. Looks at all of them: for flags.
  func destination(tagged tag: UInt32) -> (key: DestinationKey, evidence: Evidence)? {
    guard tag != 0 else { return nil }
    return keysAndEvidence.first { $0.key.tag == tag }
  }
}
