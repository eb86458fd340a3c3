/// What the command line says.
struct Settings {
  var sessions = 2_000
  var attacks = 100
  var mixSessions = 200
  /// Where seeds begin. Those of tuning and evaluation are far apart: no session was tuned on that is evaluated.
  var firstSeed = Self.evaluationSeed
  static let tuningSeed: UInt64 = 1
  static let evaluationSeed: UInt64 = 400_000_000
  var tables: Set<String> = ["benign", "attacks", "mix"]
  var concentration: Double?
  var falsePositiveRate: Double?
  var minimumDistance: Double?
  /// In minutes.
  var beaconSpan: Double?
  /// In seconds.
  var contactGap: Double?
  /// Prints the summary of every flag on a benign session.
  var explains = false
  static let usage = """
    usage: DetectionBench [--seeds tuning|evaluation|FIRST] [--sessions N] [--attacks N] [--mix-sessions N]
                          [--tables benign,attacks,mix] [--concentration K] [--rate A] [--distance D]
                          [--beacon-minutes M] [--gap S] [--explain yes] | cost
    """

  init?(_ arguments: [String]) {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      guard let value = rest.popFirst() else { return nil }
      switch option {
      case "--seeds" where value == "tuning": firstSeed = Self.tuningSeed
      case "--seeds" where value == "evaluation": firstSeed = Self.evaluationSeed
      case "--seeds": guard let n = UInt64(value), n < 1 << 48 else { return nil }; firstSeed = n
      case "--sessions": guard let n = Self.count(value) else { return nil }; sessions = n
      case "--attacks": guard let n = Self.count(value) else { return nil }; attacks = n
      case "--mix-sessions": guard let n = Self.count(value) else { return nil }; mixSessions = n
      case "--tables": tables = Set(value.split(separator: ",").map(String.init))
      case "--concentration": guard let k = Double(value), k >= 1 else { return nil }; concentration = k
      case "--rate": guard let a = Double(value), a > 0, a < 1 else { return nil }; falsePositiveRate = a
      case "--distance": guard let d = Double(value), d >= 0, d <= 1 else { return nil }; minimumDistance = d
      case "--beacon-minutes": guard let m = Double(value), m > 0, m < 1e5 else { return nil }; beaconSpan = m
      case "--gap": guard let g = Double(value), g > 0, g < 1e5 else { return nil }; contactGap = g
      case "--explain": explains = value == "yes"
      default: return nil
      }
    }
  }

  private static func count(_ text: String) -> Int? { Int(text).flatMap { (1...100_000).contains($0) ? $0 : nil } }
}
