/// Judges facts: what holds, what is odd, what is broken. Pure, one room a file.
enum Diagnosis {
  /// All findings, in the order of `Finding.Check`.
  static func judge(_ facts: DoctorFacts) -> [Finding] {
    var found = host(facts) + rules(facts)
    found += configuration(facts)
    if let configuration = facts.file.configuration {
      found += agreement(facts, configuration) + queues(facts, configuration) + surroundings(facts, configuration)
    }
    // Findings of one check keep the order in which they were made.
    return Finding.Check.allCases.flatMap { check in found.filter { $0.check == check } }
  }

  /// 0 nothing failed, 1 something did, 78 the configuration cannot be used.
  static func exitStatus(_ facts: DoctorFacts, _ findings: [Finding]) -> Int32 {
    if facts.file.configuration == nil, !facts.file.faults.isEmpty { return 78 }
    return findings.contains { $0.result == .fail } ? 1 : 0
  }

  private static func configuration(_ facts: DoctorFacts) -> [Finding] {
    let file = facts.file
    let faults = file.faults.map { Finding.fail(.configuration, $0, mend: "nfq-egressd check-config \(file.path)") }
    guard faults.isEmpty, let configuration = file.configuration else { return faults }
    let warnings = file.warnings.map {
      Finding.warn(.configuration, $0, mend: "nfq-egressd check-config \(file.path)")
    }
    var found = warnings + [.ok(.configuration, "\(file.path) can be used: \(file.summary)")]
    let count = configuration.trustedResolvers.count
    found.append(
      count > 0
        ? .ok(.resolvers, "the answers of \(count) addresses are believed")
        : .warn(
          .resolvers, "no resolver is trusted: no name counts, every address is a destination of its own",
          mend: "name the agents' resolvers in trustedResolvers"))
    return found
  }
}
