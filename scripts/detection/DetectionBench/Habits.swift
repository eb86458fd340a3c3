import Glibc

/// How sessions of one type differ and how their contacts hang together.
struct Habits {
  var name: String
  /// A session's own mix lies around its type's baseline with this concentration.
  var scatter: Double = 60
  /// A task's mix of known categories lies around its session's with this concentration; nil: there are no tasks.
  var taskScatter: Double? = 12
  /// The same for the task's share of `unknown`.
  var taskUnknownScatter: Double = 150
  /// The chance that a step is of the category of the one before for no other reason.
  var repeats = 0.1
  /// The chance of a burst: several connections to the same host within seconds.
  var bursts = 0.3
  /// The share of contacts in categories that the baseline does not list.
  var unlisted = 0.01

  static let all = [
    Habits(name: "as assumed: own mix around 60", taskScatter: nil, repeats: 0),
    Habits(name: "tasks, bursts, retries, fan-out"),
    Habits(name: "the same, own mix around 30", scatter: 30),
    Habits(name: "the same, strong tasks and repeats", taskScatter: 6, taskUnknownScatter: 80, repeats: 0.3),
    Habits(name: "the same, 4 % unlisted categories", unlisted: 0.04),
  ]
  /// Worse than promised for: tasks that differ greatly in how much is unknown.
  static let harsh = Habits(name: "beyond the assumptions: tasks differ in unknown (20)", taskUnknownScatter: 20)
}
