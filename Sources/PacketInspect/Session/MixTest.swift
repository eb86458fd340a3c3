/// The arithmetic of the mix test (docs/detection.md): what is fixed of it, and one suspected change.
enum MixTest {
  /// Contacts between two suspected times of change. Less costs time and buys at most this many contacts.
  static let spacing = 4
  /// Suspected changes kept at one time. They lie ever further apart the longer ago they are.
  static let maximumStarts = 12
  /// Alternatives that the test bets on: `unknown` has risen by about a fifth, by two fifths; outlets have risen; the
  /// ordinary have changed among themselves.
  static let bets = 4
  /// Their shares of the stake. Most is on much more of `unknown`, since what an agent must not reach is rarely on a
  /// list, and a large rise is what has to be found soon. Outlets need little: they are expected so seldom that a few
  /// contacts win all.
  static let stakes: [Double] = [0.2, 0.74, 0.02, 0.04]
  /// By how much each of the first three has `unknown` and outlets risen.
  static let rises: [(unknown: Double, outlets: Double)] = [(0.2, 0), (0.4, 0), (0, 0.4)]
  /// Contacts that the supposed mix after a change is worth: what follows soon outweighs it.
  static let changedConcentration = 10.0
  /// The same for a change among the ordinary.
  static let changedOrdinaryConcentration = 3.0
  /// A session's tasks differ among the ordinary categories as if each had its own mix from so many contacts.
  static let taskConcentration = 15.0
  /// The same for the three groups: tasks hardly change how much is unknown.
  static let groupTaskConcentration = 3_000.0
  /// Contacts that a session's own past is worth at most: more would promise that sessions never drift.
  static let pastCap = 200.0
  /// Once flagged a session is judged by its own past; the baseline is worth this many contacts. More, and what stays
  /// away from a category that the baseline has most of is flagged again for the same shift.
  static let flaggedConcentration = 2.0
  /// Supposed shares of contacts that merely repeat the last one's group; what they weigh beforehand.
  static let repeats: [Double] = [0, 0.15, 0.35, 0.6]
  static let groupRepeatPrior: [Double] = [0.75, 0.15, 0.07, 0.03]
  static let ordinaryRepeatPrior: [Double] = [0.4, 0.2, 0.2, 0.2]
  /// Tasks hold on to one ordinary category more than to a group.
  static let ordinaryRepeatFactor = 1.2
  /// Each supposed share keeps this weight whatever was seen: sessions change their ways.
  static let groupRepeatFloor = 0.0001
  static let ordinaryRepeatFloor = 0.02
  /// The suspected change that has half of the stake before it: with the spacing after 400 contacts, a long session.
  static let middleStart = 100.0

  /// The stake of the suspected change of this number. Over all numbers their sum is one, since with m the middle it is
  /// m / (n + m) - m / (n + 1 + m): each is worth the more the sooner, and none is too late.
  static func stake(_ number: Int) -> Double {
    let place = Double(number) + middleStart
    return middleStart / (place * (place + 1))
  }
}

/// A suspected change: the capital of a gambler who bets, from that contact on, that the mix is another one.
struct MixStart: Sendable, Hashable {
  /// Contacts of the session before it.
  var start: UInt32
  /// Contacts since, by group: ordinary, unknown, outlets.
  var groups: SIMD4<UInt16> = .zero
  /// The capital of each bet. Single precision is ample: it is compared with a threshold.
  var capital: SIMD4<Float>

  /// The sum of the bets.
  var total: Double { Double(capital.sum()) }
}

/// Which of the supposed shares of repeats is likely, learned from the session as it goes.
struct MixRepeats: Sendable, Hashable {
  var weights: SIMD4<Float>

  init(prior: [Double]) {
    weights = SIMD4(Float(prior[0]), Float(prior[1]), Float(prior[2]), Float(prior[3]))
  }

  /// The chance that the next contact is like the last for no other reason than that.
  func chance(_ factor: Double) -> Double {
    var sum = 0.0
    for place in 0..<4 { sum += Double(weights[place]) * MixTest.repeats[place] * factor }
    return min(0.95, sum)
  }

  /// Learns from a contact whose chance was `expected` if it repeated nothing.
  mutating func learn(isSame: Bool, expected: Double, factor: Double, floor: Double) {
    var likelihood = SIMD4<Double>.zero
    var sum = 0.0
    for place in 0..<4 {
      let share = min(0.95, MixTest.repeats[place] * factor)
      likelihood[place] = Double(weights[place]) * ((isSame ? share : 0) + (1 - share) * expected)
      sum += likelihood[place]
    }
    guard sum > 0 else { return }
    for place in 0..<4 { weights[place] = Float((likelihood[place] / sum + floor) / (1 + 4 * floor)) }
  }
}
