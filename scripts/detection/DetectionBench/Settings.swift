/// What the command line says.
struct Settings {
  var sessions = 2_000
  var attacks = 200
  /// Seeds of tuning begin at 1, those of evaluation far beyond: no session was ever tuned on that is evaluated.
  var firstSeed: UInt64 = 1_000_000
  var concentration: Double?
  var falsePositiveRate: Double?
  var minimumDistance: Double?
  /// Prints the summary of every flag on a benign session.
  var explains = false
  static let usage = """
    usage: DetectionBench [--seeds tuning|evaluation] [--sessions N] [--attacks N] [--concentration K] [--rate A]
                          [--distance D] [--explain yes] | cost
    """

  init?(_ arguments: [String]) {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      guard let value = rest.popFirst() else { return nil }
      switch option {
      case "--seeds" where value == "tuning": firstSeed = 1
      case "--seeds" where value == "evaluation": firstSeed = 1_000_000
      case "--sessions": guard let n = Int(value), (1...100_000).contains(n) else { return nil }; sessions = n
      case "--attacks": guard let n = Int(value), (1...100_000).contains(n) else { return nil }; attacks = n
      case "--concentration": guard let k = Double(value), k >= 1 else { return nil }; concentration = k
      case "--rate": guard let a = Double(value), a > 0, a < 1 else { return nil }; falsePositiveRate = a
      case "--distance": guard let d = Double(value), d >= 0, d <= 1 else { return nil }; minimumDistance = d
      case "--explain": explains = value == "yes"
      default: return nil
      }
    }
  }
}
